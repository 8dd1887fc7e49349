"""The end of a server."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from stentor_server.metrics import CloseReason, RejectReason
from stentor_server.server import LINGER_SECONDS, QUIET_SECONDS
from unit.looping import Events, Loop
from unit.peer import Peer
from unit.server.serving import Serving, numbered

NewServing = Callable[..., Serving]
BRIEF = 0.1  # seconds that a time-out is set to


def test_drain_without_connections(loop: Loop, serving: NewServing) -> None:
    """Without connections a drain is over at once."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            await asyncio.wait_for(server.drain(), 1)

    loop.run(scenario())


def test_drain_ends_quiet_connections(loop: Loop, serving: NewServing) -> None:
    """A peer between exchanges gets an orderly end soon, long before the deadline, and may end its own side."""

    async def scenario() -> None:
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

    loop.run(scenario())


def test_drain_does_not_wait_for_the_peers_end(loop: Loop, serving: NewServing) -> None:
    """A peer that does not end its side is cut off a moment after the server ended its own."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            await server.call()
            began = time.monotonic()
            await asyncio.wait_for(server.drain(), 10)
            assert time.monotonic() - began >= LINGER_SECONDS
            assert server.closed(CloseReason.DRAIN) == 1

    loop.run(scenario())


def test_bytes_after_the_servers_end_are_unsent(loop: Loop, serving: NewServing) -> None:
    """What a peer says after the server has ended its side is received and never answered."""

    async def scenario() -> None:
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

    loop.run(scenario())


def test_drain_ends_who_never_pauses(loop: Loop, serving: NewServing) -> None:
    """A peer that never pauses is answered till shortly before the deadline, and gets an orderly end then."""

    async def talk(caller: Peer) -> tuple[int, float]:
        answered = 0
        while await caller.ask(b"chat") == b"CHAT":
            answered += 1
        return answered, time.monotonic()

    async def scenario() -> None:
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

    loop.run(scenario())


def test_drain_waits_for_a_slow_reader(loop: Loop, serving: NewServing) -> None:
    """A slow reader that reads on during the drain gets all its answers, then an orderly end."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            slow = await server.call("unix")
            said = await server.stuff(slow, numbered("slow"))
            (connection,) = server.server.connections
            drain = asyncio.create_task(server.drain())
            await server.until(lambda: server.server.now - connection.active_at > 2 * QUIET_SECONDS, "some quiet")
            assert said.upper() == await slow.hear_all()
            slow.connection.close()
            await drain
            assert (server.unsent, server.closed(CloseReason.DRAIN)) == (0, 1)

    loop.run(scenario())


def test_drain_cuts_off_who_does_not_read(loop: Loop, serving: NewServing) -> None:
    """At the deadline who has not read is cut off, and what the kernel had not taken is unsent, to the byte."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=BRIEF) as server:
            deaf = await server.call("unix")
            said = await server.stuff(deaf, numbered("deaf"))
            await asyncio.wait_for(server.drain(), 5)
            assert server.closed(CloseReason.DRAIN) == 1
            assert 0 == server.waiting < server.unsent
            heard = await deaf.hear_all()
            assert server.sent == len(heard)
            assert said[: len(heard)].upper() == heard

    loop.run(scenario())


def test_drain_listens_no_more(loop: Loop, serving: NewServing) -> None:
    """Once the server drains, new callers are refused by the kernel."""

    async def scenario() -> None:
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

    loop.run(scenario())


@pytest.mark.parametrize("crowd", [1, 20])
@pytest.mark.parametrize("path", ["tcp", "unix"])
def test_drain_takes_who_waits(loop: Loop, serving: NewServing, path: str, crowd: int) -> None:
    """Connections that wait in the queue when the drain begins are taken and served: their peers think they are in."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            waiting = [server.knock(path) for _ in range(crowd)]
            drain = asyncio.create_task(server.drain())
            answers = await asyncio.gather(*(each.ask(b"waited") for each in waiting))
            assert answers == [b"WAITED"] * crowd
            for each in waiting:
                each.connection.close()
            await drain
            assert (server.accepted, server.rejected()) == (crowd, 0)

    loop.run(scenario())


def test_drain_leaves_the_socket_file(loop: Loop, serving: NewServing, tmp_path: Path) -> None:
    """The file of a Unix socket is not one worker's to remove: its successor listens there too."""

    async def scenario() -> None:
        async with serving() as server:
            await server.drain()
            assert (tmp_path / "exchange").is_socket()

    loop.run(scenario())


def test_drain_serves_who_got_through(loop: Loop, serving: NewServing, events: Events) -> None:
    """One that was accepted just as the drain began is served and ended in order; after the drain it is refused."""

    async def get_through(server: Serving) -> Peer:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        await asyncio.get_running_loop().connect_accepted_socket(server.server._new_connection, ours)
        return Peer(theirs)

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            first = await server.call()
            drain = asyncio.create_task(server.drain())
            await server.until(lambda: not server.server._listening, "the drain to begin")
            early = await get_through(server)
            assert await early.ask(b"early") == b"EARLY"
            assert await early.hear_all() == b""
            for each in (first, early):
                each.connection.close()
            await drain
            late = await get_through(server)
            assert await late.hear_all() == b""
            late.connection.close()
            assert (server.accepted, server.rejected(RejectReason.DRAINING)) == (2, 1)
            assert events.find("connection.rejected", reason=RejectReason.DRAINING)

    loop.run(scenario())


def test_drain_knows_who_was_busy(loop: Loop, serving: NewServing) -> None:
    """One that exchanged since the last sweep has its moment of quiet before its end, however old that sweep is."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            caller = await server.call()
            server.server.now -= 100
            assert await caller.ask(b"busy") == b"BUSY"
            began = time.monotonic()
            drain = asyncio.create_task(server.drain())
            assert await caller.hear_all() == b""
            assert time.monotonic() - began >= QUIET_SECONDS
            caller.connection.close()
            await drain

    loop.run(scenario())


def test_retire_without_connections(loop: Loop, serving: NewServing) -> None:
    """Without connections a server that retires is done at once."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            await asyncio.wait_for(server.server.retire(), 1)

    loop.run(scenario())


def test_retired_server_serves_whom_it_has(loop: Loop, serving: NewServing) -> None:
    """A server that retired takes nobody else, and serves whom it has until they end by themselves, however quiet."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            quiet, busy = await server.call(), await server.call("unix")
            address = quiet.connection.getpeername()
            retiring = asyncio.create_task(server.server.retire())
            await server.until(lambda: not server.server._listening, "the listeners to be closed")
            with socket.socket() as late, pytest.raises(ConnectionRefusedError):
                late.connect(address)
            began = time.monotonic()
            while time.monotonic() < began + QUIET_SECONDS + LINGER_SECONDS:  # in which a drain would have ended it
                assert await busy.ask(b"busy") == b"BUSY"
            assert await quiet.ask(b"after") == b"AFTER"
            quiet.connection.close()
            await server.until(lambda: server.active == 1, "the first to end")
            assert await busy.ask(b"busy") == b"BUSY"
            assert not retiring.done()
            busy.connection.close()
            await asyncio.wait_for(retiring, 5)
            assert server.closed(CloseReason.EOF) == 2

    loop.run(scenario())


@pytest.mark.parametrize("path", ["tcp", "unix"])
def test_retire_takes_who_waits(loop: Loop, serving: NewServing, path: str) -> None:
    """Connections that wait in the queue when a server retires are taken, and served for as long as they last."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            waiting = [server.knock(path) for _ in range(20)]
            retiring = asyncio.create_task(server.server.retire())
            assert await asyncio.gather(*(each.ask(b"waited") for each in waiting)) == [b"WAITED"] * 20
            for each in waiting:
                each.connection.close()
            await retiring
            assert (server.accepted, server.rejected(), server.closed(CloseReason.EOF)) == (20, 0, 20)

    loop.run(scenario())


@pytest.mark.parametrize("turns", range(6))
def test_drain_of_a_retired_server(loop: Loop, serving: NewServing, turns: int) -> None:
    """A server that retires can be drained at any moment, from the first on."""

    async def scenario() -> None:
        async with serving(drain_timeout_seconds=60.0) as server:
            quiet, waiting = await server.call(), server.knock()
            retiring = asyncio.create_task(server.server.retire())
            for _ in range(turns):
                await asyncio.sleep(0)
            retiring.cancel()
            drain = asyncio.create_task(server.drain())
            assert await waiting.ask(b"waited") == b"WAITED"
            for each in (quiet, waiting):
                assert await each.hear_all() == b""
                each.connection.close()
            await drain
            assert (server.accepted, server.rejected(), server.closed(CloseReason.DRAIN)) == (2, 0, 2)

    loop.run(scenario())


def test_retired_server_keeps_its_clock(loop: Loop, serving: NewServing) -> None:
    """Time-outs hold for a server that retired as well."""

    async def scenario() -> None:
        async with serving(idle_timeout_seconds=BRIEF) as server:
            await server.call()
            await asyncio.wait_for(server.server.retire(), 5)
            assert server.closed(CloseReason.IDLE_TIMEOUT) == 1

    loop.run(scenario())
