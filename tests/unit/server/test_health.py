"""The server's health check of itself."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from lying import LyingServer
from stentor_chassis.admin.endpoint import Admin
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.health import Health
from unit.server.authority import Authority
from unit.server.serving import LOOPBACK, Serving

NewServing = Callable[..., Serving]
UNHEALTHY: dict[
    str, tuple[dict[str, Any], dict[str, Any], str]
] = {  # changes to the options of a server, then of its check, and what the check says
    "other transform": ({"transform": "echo"}, {}, "answered b'aZ' to b'aZ'"),
    "refused": ({"allow": ("192.0.2.0/24",)}, {}, r"answered b''|no exchange with"),
    "not ready": ({}, {}, r"not ready \(503\)"),
    "no name": ({}, {"host": "a..b"}, r"no exchange with a\.\.b port"),
    "no socket": ({}, {"unix": "/no/such/socket"}, "no exchange with /no/such/socket: .*No such file"),
    "no admin": ({}, {"admin_port": 1}, r"no answer from 127\.0\.0\.1 port 1"),
}


@asynccontextmanager
async def _admin(*, ready: bool, hear: Callable[[Mapping[str, str]], None] = lambda _: None) -> AsyncIterator[int]:
    """Yield the port of an admin endpoint that says whether it is ready, and hears what it is told."""
    admin = Admin(CollectorRegistry(), lambda: ready, dict, hear)
    url = await admin.start("127.0.0.1", 0)
    try:
        yield urlsplit(url).port or 0
    finally:
        await admin.stop()


async def _check(port: int, admin_port: int, **changes: Any) -> None:
    plain: dict[str, Any] = {
        "host": LOOPBACK,
        "port": port,
        "unix": None,
        "transform": "upper",
        "tls_cert": None,
        "tls_key": None,
        "proxy_protocol": "off",
        "admin_host": LOOPBACK,
        "admin_port": admin_port,
        "timeout": 10.0,
    }
    await asyncio.to_thread(Health(**plain | changes).check)


@pytest.mark.parametrize("path", ["tcp", "unix", "proxy", "tls"])
async def test_healthy(serving: NewServing, authority: Authority, path: str) -> None:
    """A server that answers as it should and is ready is healthy, whatever it is to be spoken to with."""
    files = {"tls_cert": authority.cert, "tls_key": authority.key} if path == "tls" else {}
    proxy = {"proxy_protocol": "off" if path == "tcp" else "v2"}
    own: dict[str, Any] = proxy | files | {"tls_client_ca": authority.ca if files else None}
    async with serving(**own, proxy_from=("127.0.0.1/32",)) as server, _admin(ready=True) as admin_port:
        changes = {"unix": server.path, "host": "no.such.host."} if path == "unix" else {"host": "0.0.0.0,::"}
        await _check(server.address[1], admin_port, **proxy, **files, **changes)
        await server.until(lambda: (server.accepted, server.sent) == (1, 2), "the exchange")


@pytest.mark.parametrize("case", UNHEALTHY)
async def test_unhealthy(serving: NewServing, case: str) -> None:
    """A server that cannot be reached, or answers anything else, is not healthy, and the message says why."""
    options, changes, message = UNHEALTHY[case]
    async with serving(**options) as server, _admin(ready=case != "not ready") as admin_port:
        with pytest.raises(Failure, match=message) as failure:
            await _check(server.address[1], **{"admin_port": admin_port, **changes})
        assert failure.value.code == COULD_NOT_START


async def test_stuck_server() -> None:
    """A server that accepts the connection and does nothing is not healthy, after the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with _admin(ready=True) as admin_port:
            with pytest.raises(Failure, match=r"no exchange with 127\.0\.0\.1 port .*: timed out"):
                await _check(listener.getsockname()[1], admin_port, timeout=0.1)


@pytest.mark.parametrize("told", [True, False])
async def test_what_it_tells(*, told: bool) -> None:
    """It tells that it begins, and after an answer, right or wrong, what was moved; without one nothing more."""
    heard: list[dict[str, str]] = []

    def answer(connection: socket.socket) -> None:
        assert [*heard] == [{"health_check": "began"}]
        for byte in connection.recv(64)[: 2 if told else 1]:
            connection.sendall(bytes([byte]))

    with LyingServer(answer) as liar:
        async with _admin(ready=True, hear=lambda query: heard.append({**query})) as admin_port:
            with pytest.raises(Failure, match="answered b'aZ'" if told else "answered b'a'"):
                await _check(int(liar.target.rpartition(":")[2]), admin_port)
    moved = {"health_check": "ended", "received_bytes": "2", "sent_bytes": "2"}
    assert heard == [{"health_check": "began"}, *([moved] if told else [])]


@pytest.mark.parametrize("admin_host", ["a b", "\x1b[31m"])
async def test_admin_host_that_is_none(admin_host: str) -> None:
    """It is reported in one line that names the option."""
    with pytest.raises(Failure, match="is not a host name: check --admin-host"):
        await _check(1, 1, admin_host=admin_host)
