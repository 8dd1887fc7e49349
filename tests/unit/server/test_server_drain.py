"""The end of a server."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stentor_server.guard.timeouts import LINGER_SECONDS
from stentor_server.metrics import CloseReason, RejectReason
from stentor_server.server import QUIET_SECONDS
from unit.peer import Peer
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
BRIEF = 0.1  # seconds that a time-out is set to


async def test_drain_without_connections(serving: NewServing) -> None:
    """Without connections a drain is over at once."""
    async with serving(drain_timeout_seconds=60.0) as server:
        await asyncio.wait_for(server.drain(), 1)


async def test_drain_ends_quiet_connections(serving: NewServing) -> None:
    """A peer between exchanges gets an orderly end soon, long before the deadline, and may end its own side."""
    async with serving(drain_timeout_seconds=60.0) as server:
        quiet = [await server.call(path) for path in ("tcp", "unix")]
        assert await quiet[0].ask(b"before") == b"BEFORE"
        drain = asyncio.create_task(server.drain())
        assert [await each.hear_all() for each in quiet] == [b"", b""]
        assert not any(each.was_reset for each in quiet)
        for each in quiet:
            each.connection.close()
        await asyncio.wait_for(drain, 5)
        assert server.closed(CloseReason.DRAIN) == 2


async def test_drain_does_not_wait_for_the_peers_end(serving: NewServing) -> None:
    """A peer that does not end its side is cut off a moment after the server ended its own."""
    async with serving(drain_timeout_seconds=60.0) as server:
        await server.call()
        assert server.server._sweeper is not None
        server.server._sweeper.cancel()  # it is not left to chance when somebody looks
        began = time.monotonic()
        await asyncio.wait_for(server.drain(), 10)
        assert time.monotonic() - began >= LINGER_SECONDS
        assert server.closed(CloseReason.DRAIN) == 1


async def test_bytes_after_the_servers_end_are_unsent(serving: NewServing) -> None:
    """What a peer says after the server has ended its side is received and never answered."""
    async with serving(drain_timeout_seconds=60.0) as server:
        caller = await server.call()
        assert await caller.ask(b"before") == b"BEFORE"
        drain = asyncio.create_task(server.drain())
        assert await caller.hear_all() == b""
        await caller.say(b"after")
        await server.until(lambda: server.received == 11, "the rest to be read")
        assert (server.sent, server.unsent) == (6, 5)
        caller.end_saying()
        await drain


async def test_drain_ends_who_never_pauses(serving: NewServing) -> None:
    """A peer that never pauses is answered till shortly before the deadline, and gets an orderly end then."""

    async def talk(caller: Peer) -> tuple[int, float]:
        answered = 0
        while await caller.ask(b"chat") == b"CHAT":
            answered += 1
        return answered, time.monotonic()

    async with serving(drain_timeout_seconds=0.8) as server:
        caller = await server.call()
        talking = asyncio.create_task(talk(caller))
        await server.until(lambda: server.sent > 40, "the talk to be under way")
        began = time.monotonic()
        drain = asyncio.create_task(server.drain())
        answered, ended = await talking
        assert not caller.was_reset
        assert ended - began > 0.8 - LINGER_SECONDS - QUIET_SECONDS
        assert server.sent == 4 * answered
        caller.connection.close()
        await drain
        assert server.closed(CloseReason.DRAIN) == 1


async def test_drain_waits_for_a_slow_reader(serving: NewServing) -> None:
    """A slow reader that reads on during the drain gets all its answers, then an orderly end."""
    async with serving(drain_timeout_seconds=60.0) as server:
        slow = await server.call("unix")
        said = await server.stuff(slow, numbered("slow"))
        (connection,) = server.server.connections
        drain = asyncio.create_task(server.drain())
        await server.until(lambda: server.server.poller.now - connection.active_at > 2 * QUIET_SECONDS, "some quiet")
        assert said.upper() == await slow.hear_all()
        slow.connection.close()
        await drain
        assert (server.unsent, server.closed(CloseReason.DRAIN)) == (0, 1)


async def test_drain_cuts_off_who_does_not_read(serving: NewServing) -> None:
    """At the deadline who has not read is cut off, and what the kernel had not taken is unsent, to the byte."""
    async with serving(drain_timeout_seconds=BRIEF) as server:
        deaf = await server.call("unix")
        said = await server.stuff(deaf, numbered("deaf"))
        await asyncio.wait_for(server.drain(), 5)
        assert server.closed(CloseReason.DRAIN) == 1
        assert 0 == server.waiting < server.unsent
        heard = await deaf.hear_all()
        assert server.sent == len(heard)
        assert said[: len(heard)].upper() == heard


async def test_drain_listens_no_more(serving: NewServing) -> None:
    """Once the server drains, new callers are refused by the kernel."""
    async with serving(drain_timeout_seconds=60.0) as server:
        caller = await server.call()
        address = caller.connection.getpeername()
        drain = asyncio.create_task(server.drain())
        await caller.hear_all()
        with socket.socket() as late:
            late.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.get_running_loop().sock_connect(late, address)
        caller.connection.close()
        await drain


@pytest.mark.parametrize("path", ["tcp", "unix"])
async def test_drain_takes_who_waits(serving: NewServing, path: str) -> None:
    """Connections that wait in the queue when the drain begins are taken and served: their peers think they are in."""
    async with serving(drain_timeout_seconds=60.0) as server:
        waiting = [server.knock(path) for _ in range(20)]
        for each in waiting:
            each.connection.send(b"waited")
        await server.drain()  # begins at once: the loop does not run before it
        assert [await each.hear_all() for each in waiting] == [b"WAITED"] * 20
        assert (server.accepted, server.rejected()) == (20, 0)


async def test_drain_leaves_the_socket_file(serving: NewServing, tmp_path: Path) -> None:
    """The file of a Unix socket is not one worker's to remove: its successor listens there too."""
    async with serving() as server:
        await server.drain()
        assert (tmp_path / "exchange").is_socket()


async def test_drain_refuses_above_the_limit(serving: NewServing) -> None:
    """Of those that wait in the queue as many are taken as the limit allows; the others are refused, not forgotten."""
    async with serving(max_connections=3, drain_timeout_seconds=60.0) as server:
        waiting = [server.knock() for _ in range(3)] + [server.knock("unix") for _ in range(2)]
        drain = asyncio.create_task(server.drain())
        for each in waiting:
            assert await each.hear_all() == b""
            each.connection.close()
        await drain
        assert (server.accepted, server.rejected(RejectReason.MAX_CONNECTIONS)) == (3, 2)


async def test_drain_knows_who_was_busy(serving: NewServing) -> None:
    """One that exchanged just before the drain has its moment of quiet before its end."""
    async with serving(drain_timeout_seconds=60.0) as server:
        caller = await server.call()
        connection = server.connection(caller)
        connection.active_at -= 100
        assert await caller.ask(b"busy") == b"BUSY"
        active_at = connection.active_at
        drain = asyncio.create_task(server.drain())
        assert await caller.hear_all() == b""
        assert connection.leaving_since - active_at > QUIET_SECONDS
        caller.connection.close()
        await drain


async def test_drain_of_one_that_left(serving: NewServing) -> None:
    """One whose time was over already ends as that, during a drain as well."""
    async with serving(drain_timeout_seconds=60.0) as server:
        server.connection(await server.call()).leave(CloseReason.MAX_AGE)
        await server.drain()
        assert (server.closed(CloseReason.MAX_AGE), server.closed(CloseReason.DRAIN)) == (1, 0)


async def test_drain_waits_for_prefaces(serving: NewServing) -> None:
    """A connection whose PROXY header has begun is served when it comes; where it does not, it is refused at last."""
    async with serving(proxy_protocol="v1", proxy_from=("127.0.0.0/8",), drain_timeout_seconds=0.5) as server:
        early, late = server.knock(), server.knock()
        for each in (early, late):
            await each.say(b"PROXY ")
        await server.until(lambda: sum(each.begun for each in server.server.prefaces) == 2, "both to have begun")
        for preface in server.server.prefaces:
            preface.opened_at -= 2 * QUIET_SECONDS
        drain = asyncio.create_task(server.drain())
        await server.until(lambda: not server.server._acceptors, "the drain to begin")
        await early.say(b"UNKNOWN\r\nlast words")
        assert await early.hear(10) == b"LAST WORDS"
        early.connection.close()
        await drain
        assert await late.hear_all() == b""
        assert (server.accepted, server.sent) == (1, 10)
        assert 1 == server.rejected(RejectReason.DRAINING) == server.rejected()
        assert server.events.find("connection.rejected", reason="draining", error="the server stops")


async def test_drain_does_not_wait_for_a_silent_proxy(serving: NewServing) -> None:
    """A connection without a byte of a PROXY header has its moment, as every quiet one, and no more."""
    async with serving(proxy_protocol="v1", proxy_from=("127.0.0.0/8",), drain_timeout_seconds=60.0) as server:
        silent = server.knock()
        server.server.poller.now -= 100  # nothing has happened for a while
        began = time.monotonic()
        await asyncio.wait_for(server.drain(), 10)
        assert time.monotonic() - began > QUIET_SECONDS
        assert await silent.hear_all() == b""
        assert 1 == server.rejected(RejectReason.DRAINING) == server.rejected()


async def test_drain_leaves_nothing_to_do(serving: NewServing) -> None:
    """After a drain no timer of the server runs, and its epoll is closed."""
    async with serving() as server:
        await server.drain()
        assert server.server._sweeper is not None
        assert server.server._sweeper.cancelled()
        assert server.server.poller._epoll.closed


async def test_drain_without_time(serving: NewServing) -> None:
    """With no time to drain, connections are cut at once, for that reason."""
    async with serving(drain_timeout_seconds=0.0) as server:
        await server.call()
        await server.drain()
        assert server.closed(CloseReason.DRAIN) == 1
