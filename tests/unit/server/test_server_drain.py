"""The end of a server: drained or retired."""

import asyncio
import socket
import time
from pathlib import Path

import pytest

from stentor_server import server as server_module
from stentor_server.guard.timeouts import LINGER_SECONDS
from stentor_server.metrics import CloseReason, RejectReason
from stentor_server.server import QUIET_SECONDS
from unit.peer import Peer
from unit.server.serving import NewServing, numbered


async def test_quiet_connections(serving: NewServing) -> None:
    """A peer gets an orderly end, and may close its own side, once it has been quiet since its last exchange."""
    async with serving(drain_timeout_seconds=60.0) as server:
        quiet = [await server.connect(path) for path in ("tcp", "unix")]
        connection = server.connection(quiet[0])
        connection.active_at -= 100
        assert await quiet[0].exchange(b"before") == b"BEFORE"
        active_at = connection.active_at
        drain = asyncio.create_task(server.drain())
        assert [await each.receive_all() for each in quiet] == [b"", b""]
        assert connection.closing_since - active_at > QUIET_SECONDS
        assert not any(each.was_reset for each in quiet)
        for each in quiet:
            each.connection.close()
        await asyncio.wait_for(drain, 20)
        assert server.closed(CloseReason.DRAIN) == 2


async def test_peer_that_does_not_close(serving: NewServing) -> None:
    """A peer that does not close its side is cut off a moment after the server closed its own, without a sweep."""
    async with serving(drain_timeout_seconds=60.0) as server:
        await server.connect()
        assert server.server._sweeper is not None
        server.server._sweeper.cancel()
        began = time.monotonic()
        await asyncio.wait_for(server.drain(), 20)
        assert time.monotonic() - began >= LINGER_SECONDS
        assert server.closed(CloseReason.DRAIN) == 1


async def test_peer_that_never_pauses(serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that never pauses is answered until shortly before the deadline, and then gets an orderly end."""

    async def talk(client: Peer) -> tuple[int, float]:
        answered = 0
        while await client.exchange(b"chat") == b"CHAT":
            answered += 1
        return answered, time.monotonic()

    monkeypatch.setattr(server_module, "QUIET_SECONDS", 60.0)  # whatever pauses a busy machine makes
    async with serving(drain_timeout_seconds=0.8) as server:
        client = await server.connect()
        talking = asyncio.create_task(talk(client))
        await server.until(lambda: server.sent > 40, "the talk to be under way")
        began = time.monotonic()
        drain = asyncio.create_task(server.drain())
        answered, ended = await talking
        assert not client.was_reset
        assert ended - began > 0.7 - LINGER_SECONDS
        assert server.sent == 4 * answered
        client.connection.close()
        await drain
        assert server.closed(CloseReason.DRAIN) == 1


async def test_slow_reader(serving: NewServing) -> None:
    """A slow reader that reads on during the drain gets all its answers, and then an orderly end."""
    async with serving(drain_timeout_seconds=60.0) as server:
        slow = await server.connect("unix")
        payload = await server.fill(slow, numbered("slow"))
        connection = server.connection(slow)
        drain = asyncio.create_task(server.drain())
        await server.until(lambda: server.now - connection.active_at > 2 * QUIET_SECONDS, "some quiet")
        assert payload.upper() == await slow.receive_all()
        slow.connection.close()
        await drain
        assert (server.unsent, server.closed(CloseReason.DRAIN)) == (0, 1)


async def test_deadline(serving: NewServing) -> None:
    """At the deadline a peer that does not read is cut off; then nothing of the server is left to run."""
    async with serving(drain_timeout_seconds=0.1) as server:
        await server.fill(await server.connect("unix"), numbered("deaf"))
        await asyncio.wait_for(server.drain(), 20)
        assert server.closed(CloseReason.DRAIN) == 1
        assert 0 == server.waiting < server.unsent
        assert server.server._sweeper is not None
        assert server.server._sweeper.cancelled()


@pytest.mark.parametrize("path", ["tcp", "unix"])
async def test_queued_connections(serving: NewServing, tmp_path: Path, path: str) -> None:
    """Connections that are queued when the drain begins are served: their clients are connected."""
    async with serving(drain_timeout_seconds=60.0) as server:
        queued = [server.connect_queued(path) for _ in range(20)]
        for each in queued:
            each.connection.send(b"queued")
        await server.drain()  # begins at once: the loop does not run before it
        assert [await each.receive_all() for each in queued] == [b"QUEUED"] * 20
        assert (server.accepted, server.rejected()) == (20, 0)
        assert (tmp_path / "exchange").is_socket()  # a successor listens there, too


async def test_proxy_headers(serving: NewServing) -> None:
    """A connection whose PROXY header has started is served if it completes; otherwise it is rejected at last."""
    async with serving(proxy_protocol="v1", proxy_from=("127.0.0.0/8",), drain_timeout_seconds=2.0) as server:
        early, late = server.connect_queued(), server.connect_queued()
        for each in (early, late):
            await each.send(b"PROXY ")
        prefaces = server.server.prefaces.values()
        await server.until(lambda: [each.started for each in prefaces] == [True, True], "both to have started")
        for preface in prefaces:
            preface.opened_at -= 2 * QUIET_SECONDS
        drain = asyncio.create_task(server.drain())
        await server.until(lambda: not server.server._acceptors, "the drain to begin")
        await early.send(b"UNKNOWN\r\nlast words")
        assert await early.receive(10) == b"LAST WORDS"
        early.connection.close()
        await drain
        assert await late.receive_all() == b""
        assert (server.accepted, server.sent) == (1, 10)
        assert 1 == server.rejected(RejectReason.DRAINING) == server.rejected()
        assert server.events.find("connection.rejected", reason="draining", error="the server is stopping")


async def test_silent_proxy(serving: NewServing) -> None:
    """A connection without a byte of its PROXY header gets its moment of quiet, and no more."""
    async with serving(proxy_protocol="v1", proxy_from=("127.0.0.0/8",), drain_timeout_seconds=60.0) as server:
        silent = server.connect_queued()
        server.server.lane.poller.now -= 100  # nothing has happened for a while
        began = time.monotonic()
        await asyncio.wait_for(server.drain(), 20)
        assert time.monotonic() - began > QUIET_SECONDS
        assert await silent.receive_all() == b""
        assert 1 == server.rejected(RejectReason.DRAINING) == server.rejected()


async def test_retire(serving: NewServing) -> None:
    """A retired server accepts no more, and serves its connections, however quiet, until the last has ended."""
    async with serving(drain_timeout_seconds=60.0) as server:
        quiet, busy, queued = await server.connect(), await server.connect("unix"), server.connect_queued()
        address = quiet.connection.getpeername()
        retiring = asyncio.create_task(server.server.retire())
        assert await queued.exchange(b"queued") == b"QUEUED"
        with socket.socket() as late, pytest.raises(ConnectionRefusedError):
            late.connect(address)
        began = time.monotonic()
        while time.monotonic() < began + QUIET_SECONDS + LINGER_SECONDS:  # in which a drain would have ended it
            assert await busy.exchange(b"busy") == b"BUSY"
        assert await quiet.exchange(b"after") == b"AFTER"
        for each in (quiet, queued):
            each.connection.close()
        await server.until(lambda: server.active == 1, "the others to end")
        assert await busy.exchange(b"busy") == b"BUSY"
        assert not retiring.done()
        busy.connection.close()
        await asyncio.wait_for(retiring, 20)
        assert (server.closed(CloseReason.EOF), server.rejected()) == (3, 0)


async def test_time_outs_of_a_retired_server(serving: NewServing) -> None:
    """Time-outs apply to a retired server, too."""
    async with serving(idle_timeout_seconds=0.1) as server:
        await server.connect()
        await asyncio.wait_for(server.server.retire(), 20)
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 1
