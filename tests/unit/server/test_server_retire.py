"""A server that retires."""

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

from stentor_server.guard.timeouts import LINGER_SECONDS
from stentor_server.metrics import CloseReason
from stentor_server.server import QUIET_SECONDS
from unit.server.serving import Serving

NewServing = Callable[..., Serving]


async def test_retire_without_connections(serving: NewServing) -> None:
    """Without connections a server that retires is done at once."""
    async with serving(drain_timeout_seconds=60.0) as server:
        await asyncio.wait_for(server.server.retire(), 1)


async def test_retired_server_serves_whom_it_has(serving: NewServing) -> None:
    """A server that retired takes nobody else, and serves whom it has until they end by themselves, however quiet."""
    async with serving(drain_timeout_seconds=60.0) as server:
        gone = await server.call()
        gone.connection.close()
        await server.until(lambda: server.active == 0, "one to end before")
        quiet, busy = await server.call(), await server.call("unix")
        address = quiet.connection.getpeername()
        retiring = asyncio.create_task(server.server.retire())
        await server.until(lambda: not server.server._acceptors, "the listeners to be closed")
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
        assert server.closed(CloseReason.EOF) == 3


@pytest.mark.parametrize("crowd", [1, 20])
@pytest.mark.parametrize("path", ["tcp", "unix"])
async def test_retire_takes_who_waits(serving: NewServing, path: str, crowd: int) -> None:
    """Connections that wait in the queue when a server retires are taken, and served for as long as they last."""
    async with serving(drain_timeout_seconds=60.0) as server:
        waiting = [server.knock(path) for _ in range(crowd)]
        retiring = asyncio.create_task(server.server.retire())
        assert await asyncio.gather(*(each.ask(b"waited") for each in waiting)) == [b"WAITED"] * crowd
        assert not retiring.done()
        for each in waiting:
            each.connection.close()
        await retiring
        assert (server.accepted, server.rejected(), server.closed(CloseReason.EOF)) == (crowd, 0, crowd)


@pytest.mark.parametrize("turns", range(6))
async def test_drain_of_a_retired_server(serving: NewServing, turns: int) -> None:
    """A server that retires can be drained at any moment, from the first on."""
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


async def test_retired_server_keeps_its_clock(serving: NewServing) -> None:
    """Time-outs hold for a server that retired as well."""
    async with serving(idle_timeout_seconds=0.1) as server:
        await server.call()
        await asyncio.wait_for(server.server.retire(), 5)
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 1
