"""How a connection over TLS ends."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from stentor_server.guard.timeouts import HANDSHAKE_SECONDS
from stentor_server.metrics import CloseReason
from stentor_server.path import tls as tls_module
from stentor_server.server import DRAIN_STEP_SECONDS
from unit.looping import Events
from unit.server.authority import Authority
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
async def test_close_notify(
    serving: NewServing, tls: dict[str, Any], authority: Authority, version: ssl.TLSVersion
) -> None:
    """A client that says that it has ended gets the whole answer, and the server's own close_notify, then the FIN."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        caller.connection.send(caller.push(b"last words") + caller.close_notify())
        assert await caller.hear_all() == b"LAST WORDS"
        assert caller.got_close_notify
        assert await caller.hear_some() == b""
        assert not caller.was_reset
        assert (server.closed(CloseReason.EOF), server.sent) == (1, 10)


@pytest.mark.parametrize("version", VERSIONS)
async def test_end_without_close_notify(
    serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events, version: ssl.TLSVersion
) -> None:
    """A client that ends its socket alone gets the whole answer too, and is no error."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        await caller.say(b"last words")
        caller.end_saying()
        assert await caller.hear_all() == b"LAST WORDS"
        assert caller.got_close_notify
        assert await caller.hear_some() == b""
        assert server.closed(CloseReason.EOF) == 1
        assert events.find("connection.closed", reason="eof", received_bytes=10, sent_bytes=10)


async def test_end_within_a_record(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """What is in a record that never became whole was never received."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        caller.connection.send(caller.push(b"whole") + caller.push(b"cut off")[:-1])
        caller.end_saying()
        assert await caller.hear_all() == b"WHOLE"
        assert (server.received, server.sent) == (5, 5)


async def test_garbage(serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events) -> None:
    """A record that was changed on its way is answered by an alert, and by nothing else."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        spoiled = bytearray(caller.push(b"spoiled"))
        spoiled[-1] ^= 1
        caller.connection.send(spoiled)
        with pytest.raises(ssl.SSLError, match=r"(?i)alert bad record mac"):
            await caller.hear_all()
        assert server.closed(CloseReason.TLS_ERROR) == 1
        (closed,) = events.find("connection.closed", reason="tls_error", tls="TLSv1.3")
        assert "bad record mac" in closed["error"]


async def test_answers_before_garbage(
    serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events
) -> None:
    """What came before the garbage, even together with it, is answered and counted."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        caller.connection.send(caller.push(b"good") + b"\x17\x03\x03\0\x20" + b"bad" * 20)
        assert await caller.hear(4) == b"GOOD"
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            await caller.hear_all()
        assert events.find("connection.closed", reason="tls_error", received_bytes=4, sent_bytes=4)


async def test_reset(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A reset is a reset."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        caller.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset")
        assert (server.received, server.sent, server.unsent) == (5, 5, 0)


async def test_reset_before_the_answer(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """What was read from a client that is not there any more is unsent."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        caller.connection.send(caller.push(b"gone"))
        caller.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the reset")
        assert (server.received, server.sent, server.unsent) == (9, 5, 4)


async def test_reset_during_the_handshake(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A client that goes in the middle of the handshake leaves nothing behind."""
    async with serving(**tls) as server:
        caller = server.knock_tls(authority.client())
        with pytest.raises(ssl.SSLWantReadError):
            caller.tls.do_handshake()
        await caller.flush()
        caller.reset()
        await server.until(lambda: server.accepted == 1 and server.active == 0, "the end")
        assert server.closed(CloseReason.RESET) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_leave(
    serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events, version: ssl.TLSVersion
) -> None:
    """When the server leaves it sends close_notify, and ends its side; what comes after that is received and unsent."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        assert await caller.ask(b"before") == b"BEFORE"
        connection = server.connection(caller)
        connection.leave(CloseReason.MAX_AGE)
        connection.leaving_since = float("inf")  # so that it is not closed for taking too long
        assert await caller.hear_all() == b""
        assert caller.got_close_notify
        assert await caller.hear_some() == b""
        for count in (1, 2):
            caller.connection.send(caller.push(b"after"))
            await server.until(lambda: server.unsent == 5 * count, "the rest to be read")  # noqa: B023
        assert (server.received, server.sent, server.active) == (16, 6, 1)
        await caller.send_close_notify()
        await server.until(lambda: server.closed(CloseReason.MAX_AGE) == 1, "the client's end")
        assert "error" not in events.find("connection.closed")[0]


@pytest.mark.parametrize("end", ["socket", "garbage"])
async def test_end_after_we_left(
    serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events, end: str
) -> None:
    """However the client ends after the server has, it stays the end that the server began."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        connection = server.connection(caller)
        connection.leave(CloseReason.DRAIN)
        connection.leaving_since = float("inf")
        assert await caller.hear_all() == b""
        if end == "socket":
            caller.end_saying()
        else:
            caller.connection.send(b"garbage" * 10)
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the client's end")
        assert "error" not in events.find("connection.closed")[0]


async def test_leave_one_that_is_gone(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """To send close_notify to a client that has just reset is no error, and counts as the reset that it is."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        connection = server.connection(caller)
        caller.reset()
        connection.leave(CloseReason.DRAIN)
        assert server.closed(CloseReason.RESET) == 1


async def test_leave_during_the_handshake(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """One that has not got far enough for close_notify gets the FIN alone, and can do no more than end."""
    async with serving(**tls) as server:
        caller = server.knock_tls(authority.client())
        await server.until(lambda: server.active == 1, "it to be taken")
        server.connection(caller).leave(CloseReason.DRAIN)
        with pytest.raises(ConnectionError, match="ended during the handshake"):
            await caller.shake()
        assert not caller.was_reset
        caller.end_saying()
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the client's end")


async def test_leave_after_the_answers(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A client that reads late gets the answers to all that was received when the server left, then close_notify."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        said = await server.stuff(caller, numbered("late"))
        received = server.received
        server.connection(caller).leave(CloseReason.DRAIN)
        heard = await caller.hear_all()
        assert said[:received].upper() == heard
        assert caller.got_close_notify
        assert await caller.hear_some() == b""
        assert not caller.was_reset
        await server.until(server.at_rest, "the rest to be read")
        assert (server.sent, server.unsent) == (received, server.received - received)
        caller.end_saying()
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the client's end")


async def test_drain(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A drain sends close_notify to every quiet client."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        await server.drain()
        assert await caller.hear_all() == b""
        assert caller.got_close_notify
        assert server.closed(CloseReason.DRAIN) == 1


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("said", [b"", b"before"])
async def test_abort(
    serving: NewServing, tls: dict[str, Any], authority: Authority, version: ssl.TLSVersion, said: bytes
) -> None:
    """A client that is given up with nothing waiting for it is told so: its end is no truncation."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        connection = server.connection(caller)
        await server.until(lambda: not connection.handshaking, "the end of the handshake")
        assert said.upper() == await caller.ask(said)
        connection.abort(CloseReason.IDLE_TIMEOUT)
        assert await caller.hear_all() == b""
        assert caller.got_close_notify
        assert not caller.was_reset


async def test_abort_where_nothing_is_taken(
    serving: NewServing, tls: dict[str, Any], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel does not take even that, the connection ends without."""

    def take_nothing(_fd: int, _data: bytes) -> int:
        raise BlockingIOError

    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        connection = server.connection(caller)
        with monkeypatch.context() as patch:
            patch.setattr(tls_module, "write", take_nothing)
            connection.abort(CloseReason.IDLE_TIMEOUT)
        assert await caller.hear_all() == b""
        assert not caller.got_close_notify
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_drain_lets_handshakes_end(
    serving: NewServing, tls: dict[str, Any], authority: Authority, version: ssl.TLSVersion
) -> None:
    """A handshake that has begun may take its time during a drain, and what the client then asks is answered."""
    async with serving(**tls, drain_timeout_seconds=60.0) as server:
        caller = server.knock_tls(authority.client(version))
        with pytest.raises(ssl.SSLWantReadError):
            caller.tls.do_handshake()
        await caller.flush()
        await caller._take()  # the answer to it
        connection = server.connection(caller)
        connection.active_at -= 100
        drain = asyncio.create_task(server.drain())
        before = server.server.poller.now
        await server.until(lambda: server.server.poller.now - before > 2 * DRAIN_STEP_SECONDS, "a look or two")
        assert not connection.leaving_since
        await caller.shake()
        assert await caller.ask(b"first") == b"FIRST"
        assert await caller.hear_all() == b""
        assert caller.got_close_notify
        caller.connection.close()
        await drain
        assert server.closed(CloseReason.DRAIN) == 1


async def test_drain_does_not_wait_for_who_has_not_begun(serving: NewServing, tls: dict[str, Any]) -> None:
    """One that has not begun its handshake is quiet."""
    async with serving(**tls, drain_timeout_seconds=60.0) as server:
        await server.call()
        await asyncio.wait_for(server.drain(), 10)
        assert server.closed(CloseReason.DRAIN) == 1


async def test_drain_ends_handshakes_in_time(serving: NewServing, tls: dict[str, Any]) -> None:
    """A handshake that does not come to its end is given up in its own time, or at the deadline of the drain."""

    async def scenario(*, old: bool) -> CloseReason:
        async with serving(**tls, drain_timeout_seconds=60.0 if old else 0.4) as server:
            caller = await server.call()
            await caller.say(b"\x16\x03\x01")
            connection = server.connection(caller)
            await server.until(lambda: connection.engaged, "it to be read")
            connection.opened_at -= HANDSHAKE_SECONDS if old else 0
            await asyncio.wait_for(server.drain(), 10)
            (reason,) = (each for each in CloseReason if server.closed(each))
            return reason

    assert await scenario(old=True) == CloseReason.TLS_ERROR
    assert await scenario(old=False) == CloseReason.DRAIN
