"""A client over TLS that does not read."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from stentor_server.metrics import CloseReason
from stentor_server.path import connection as connection_module
from stentor_server.path.poller import READABLE
from stentor_server.server import BUFFER_BYTES
from unit.looping import Events
from unit.server.authority import Authority
from unit.server.serving import Serving, numbered
from unit.server.tls_peer import TlsPeer

NewServing = Callable[..., Serving]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SMALL = {"chunk": 5000, "send_buffer": 1}  # so that much waits, and much more has yet to be read


@pytest.mark.parametrize("version", VERSIONS)
async def test_is_not_read_from(
    serving: NewServing, tls: dict[str, Any], authority: Authority, version: ssl.TLSVersion
) -> None:
    """A client that does not read is read from no more; when it reads, it gets all, and all is counted."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client(version))
        said = await server.stuff(caller, numbered("stuffed"))
        assert server.pauses == 1
        assert 0 < server.waiting <= BUFFER_BYTES
        assert server.received < len(said)
        _, heard = await asyncio.gather(caller.say_rest(), caller.hear(len(said)))
        assert said.upper() == heard
        await server.until(lambda: server.sent == len(said), "all to be counted")
        assert await caller.ask(b"goes on") == b"GOES ON"
        assert server.at_rest()


async def test_partial_writes(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """Where the kernel takes a few kilobytes at a time, each of many clients still gets its own bytes, and all."""
    async with serving(**tls, send_buffer=1) as server:
        callers = [await server.call_tls(authority.client(), receive_buffer=1) for _ in range(6)]
        messages = [next(numbered(f"peer {number}", 100_000 + number)) for number in range(6)]
        asking = asyncio.gather(*(each.ask(text) for each, text in zip(callers, messages, strict=True)))
        await server.until(asking.done, "all to be answered")
        assert [message.upper() for message in messages] == await asking
        assert server.pauses > 6
        assert (server.sent, server.unsent) == (sum(map(len, messages)), 0)


async def test_is_served_bit_by_bit(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """What waits goes out as the kernel takes it, and never more counts as sent than can have got out."""
    async with serving(**tls, send_buffer=1) as server:
        caller = await server.call_tls(authority.client(), receive_buffer=1)
        said = await server.overtake(caller, numbered("slow"))
        connection = server.connection(caller)
        heard, seen = b"", set()
        while len(heard) < len(said):
            heard += await caller.hear(min(500, len(said) - len(heard)))
            server.check()
            assert server.waiting == min(len(connection._waiting), connection._kept)
            seen.add(server.waiting)
        assert len(seen) > 2
        assert said.upper() == heard
        await server.until(lambda: server.sent == len(said), "all to be counted")


async def _overtaken(server: Serving, authority: Authority) -> tuple[TlsPeer, bytes]:
    """Return a client that does not read, and what it said, most of which the server has yet to read."""
    caller = await server.call_tls(authority.client(), receive_buffer=1)
    said = await server.overtake(caller, numbered("late"))
    assert server.received < len(said) - 10_000
    return caller, said


@pytest.mark.parametrize("close_notify", [True, False])
async def test_that_ends_its_side(
    serving: NewServing, tls: dict[str, Any], authority: Authority, *, close_notify: bool
) -> None:
    """Its end, which is seen before all that it said is read, costs it nothing: the whole reply arrives first."""
    async with serving(**tls, **SMALL) as server:
        caller, said = await _overtaken(server, authority)
        if close_notify:
            await caller.send_close_notify()
        caller.end_saying()
        connection = server.connection(caller)
        await server.until(lambda: connection.ended_at, "its end to be seen")
        assert said.upper() == await caller.hear(len(said))
        if close_notify:
            assert await caller.hear_all() == b""
            assert caller.got_close_notify
        assert await caller.hear_some() == b""
        assert not caller.was_reset
        assert (server.closed(CloseReason.EOF), server.unsent) == (1, 0)


async def test_that_sends_close_notify(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A client that has sent close_notify, and waits for its answers with its socket open, gets them all, then ours."""
    async with serving(**tls, send_buffer=1) as server:
        caller = await server.call_tls(authority.client(), receive_buffer=1)
        said = next(numbered("at once", 25_000))
        caller.connection.send(caller.push(said) + caller.close_notify())
        connection = server.connection(caller)
        await server.until(lambda: connection.ended_at, "its close_notify to be read")
        assert connection.waiting
        await server.until(server.at_rest, "the worker to rest")
        assert said.upper() == await caller.hear_all()
        assert caller.got_close_notify
        assert (server.closed(CloseReason.EOF), server.sent) == (1, len(said))


async def test_that_goes_away(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """What waited for a client that went away is unsent."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await server.stuff(caller, numbered("gone"))
        waited = server.waiting
        caller.reset()
        await server.until(lambda: server.closed(CloseReason.RESET) == 1, "the loss")
        assert (server.unsent, server.waiting) == (waited, 0)


async def test_that_is_cut_off(serving: NewServing, tls: dict[str, Any], authority: Authority, events: Events) -> None:
    """What a client that is cut off can have got is counted as sent, and the rest, to the byte, as unsent."""
    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await server.stuff(caller, numbered("cut off"))
        waited = server.waiting
        server.connection(caller).abort(CloseReason.WRITE_TIMEOUT)
        assert (server.closed(CloseReason.WRITE_TIMEOUT), server.unsent, server.waiting) == (1, waited, 0)
        assert server.sent == server.received - waited
        assert events.find("connection.closed", reason="write_timeout", sent_bytes=server.sent)
        while await caller.hear_some():
            pass
        assert caller.was_reset


async def test_full_socket(
    serving: NewServing, tls: dict[str, Any], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kernel takes nothing at all, everything waits, and follows as soon as it takes something."""

    def take_nothing(_fd: int, _data: memoryview) -> int:
        raise BlockingIOError

    async with serving(**tls) as server:
        caller = await server.call_tls(authority.client())
        await caller.ask(b"hello")
        connection = server.connection(caller)
        with monkeypatch.context() as patch:
            patch.setattr(connection_module, "write", take_nothing)
            caller.connection.send(caller.push(b"all of it"))
            connection.ready(READABLE)
        assert (server.received, server.sent, server.waiting) == (14, 5, 9)
        assert await caller.hear(9) == b"ALL OF IT"
        assert (server.sent, server.waiting) == (14, 0)


async def test_handshake_that_is_not_read(serving: NewServing, tls: dict[str, Any], authority: Authority) -> None:
    """A client that does not read the server's part of the handshake holds nothing of what it never said."""
    async with serving(**tls) as server:
        caller = server.knock_tls(authority.client())
        await server.until(lambda: server.active == 1, "it to be taken")
        connection = server.connection(caller)
        connection._fall_behind(memoryview(b"a part of a handshake"), 0)
        assert (server.waiting, server.pauses) == (0, 1)
        assert connection.waiting
        await server.until(lambda: not connection.waiting, "it to be sent")
        assert (server.received, server.sent, server.unsent) == (0, 0, 0)
