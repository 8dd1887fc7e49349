"""The server's health check of itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from lying import LyingServer, close_early, flip
from stentor_chassis.admin import Admin
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.health import check
from unit.looping import Loop
from unit.server.serving import Serving

NewServing = Callable[..., Serving]
TIMEOUT = 5.0


@asynccontextmanager
async def _admin(*, ready: bool) -> AsyncIterator[int]:
    """Yield the port of an admin endpoint that says whether it is ready."""
    admin = Admin(CollectorRegistry(), lambda: ready, dict)
    url = await admin.start("127.0.0.1", 0)
    try:
        yield urlsplit(url).port or 0
    finally:
        await admin.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def _check(
    port: int, admin_port: int, transform: str = "upper", host: str = "127.0.0.1", **timeout: float
) -> None:
    await asyncio.to_thread(check, host, port, host, admin_port, transform, timeout.get("timeout", TIMEOUT))


@pytest.mark.parametrize("transform", ["upper", "echo"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
def test_healthy(loop: Loop, serving: NewServing, transform: str, host: str) -> None:
    """A server that answers as it should and is ready is healthy; every interface is asked on loopback."""

    async def scenario() -> None:
        async with serving(transform=transform) as server, _admin(ready=True) as admin_port:
            await _check((await server.call()).connection.getpeername()[1], admin_port, transform, host)
            assert server.sent == 2

    loop.run(scenario())


def test_not_ready(loop: Loop, serving: NewServing) -> None:
    """A server that is not ready is not healthy, though it answers."""

    async def scenario() -> None:
        async with serving() as server, _admin(ready=False) as admin_port:
            with pytest.raises(Failure, match=r"not ready \(503\)") as failure:
                await _check((await server.call()).connection.getpeername()[1], admin_port)
            assert failure.value.code == COULD_NOT_START

    loop.run(scenario())


def test_other_transform(loop: Loop, serving: NewServing) -> None:
    """A server that answers, but not as it was told to, is not healthy."""

    async def scenario() -> None:
        async with serving(transform="echo") as server, _admin(ready=True) as admin_port:
            with pytest.raises(Failure, match=r"answered b'aZ' to b'aZ'"):
                await _check((await server.call()).connection.getpeername()[1], admin_port)

    loop.run(scenario())


def test_no_answer(loop: Loop) -> None:
    """A server that takes the question and ends without an answer is not healthy."""

    async def scenario() -> None:
        with LyingServer(close_early) as liar:
            async with _admin(ready=True) as admin_port:
                with pytest.raises(Failure, match="answered b''"):
                    await _check(int(liar.target.rpartition(":")[2]), admin_port)

    loop.run(scenario())


def test_stuck_server(loop: Loop) -> None:
    """A server whose queue takes the connection and that does nothing is not healthy, after the timeout."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with _admin(ready=True) as admin_port:
                with pytest.raises(Failure, match=r"no exchange with 127\.0\.0\.1 port .*: timed out"):
                    await _check(listener.getsockname()[1], admin_port, timeout=0.1)

    loop.run(scenario())


def test_chatterbox(loop: Loop) -> None:
    """A server that goes on answering for ever is not healthy, and the check ends."""

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"AZ" * 1000)

    async def scenario() -> None:
        with LyingServer(talk) as liar:
            async with _admin(ready=True) as admin_port:
                with pytest.raises(Failure, match="answered b'AZAZ"):
                    await _check(int(liar.target.rpartition(":")[2]), admin_port)

    loop.run(scenario())


def test_host_that_is_none(loop: Loop) -> None:
    """A host that cannot be a name is not healthy."""

    async def scenario() -> None:
        with pytest.raises(Failure, match=r"no exchange with a\.\.b port 1: "):
            await _check(1, 1, host="a..b")

    loop.run(scenario())


def test_no_server(loop: Loop) -> None:
    """Where nothing listens, nothing is healthy."""

    async def scenario() -> None:
        async with _admin(ready=True) as admin_port:
            with pytest.raises(Failure, match=r"no exchange with 127\.0\.0\.1 port .*refused"):
                await _check(_free_port(), admin_port)

    loop.run(scenario())


def test_no_admin_endpoint(loop: Loop, serving: NewServing) -> None:
    """A server whose control process does not answer is not healthy."""

    async def scenario() -> None:
        async with serving() as server:
            with pytest.raises(Failure, match=r"no answer from 127\.0\.0\.1 port .*refused"):
                await _check((await server.call()).connection.getpeername()[1], _free_port())

    loop.run(scenario())


def test_admin_endpoint_that_is_none(loop: Loop, serving: NewServing) -> None:
    """Something that does not speak HTTP on the admin port is not healthy."""

    async def scenario() -> None:
        with LyingServer(flip) as liar:
            async with serving() as server:
                port = (await server.call()).connection.getpeername()[1]
                with pytest.raises(Failure, match=r"no answer from 127\.0\.0\.1 port"):
                    await _check(port, int(liar.target.rpartition(":")[2]))

    loop.run(scenario())
