"""The server's health check of itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry

from certificates import Authority
from lying import LyingServer
from stentor_chassis.admin.endpoint import Admin
from stentor_chassis.control.listeners import Listeners
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.health import health
from stentor_server.metrics import HEALTH_CHECKS, SCHEMA, CheckResult
from stentor_server.path import side_door
from unit.server.serving import LOOPBACK, NewServing, Serving


async def _check(server: Serving, *, ready: bool = True, **status: Any) -> None:
    """Check a server whose admin endpoint says what `status` changes."""
    says = {"health_check_sockets": [server.side_door], "config": {"transform": server.options.transform}, **status}
    async with _admin(says, ready=ready) as port:
        await _health(port)


@asynccontextmanager
async def _admin(status: dict[str, Any], *, ready: bool = True) -> AsyncIterator[int]:
    admin = Admin(CollectorRegistry(), lambda: ready, lambda: status)
    url = await admin.start(LOOPBACK, 0)
    try:
        yield urlsplit(url).port or 0
    finally:
        await admin.stop()


async def _health(port: int, host: str = "127.1", timeout: float = 10.0) -> None:
    assert health.callback
    await asyncio.to_thread(health.callback, host, port, timeout)


def _counted(server: Serving) -> list[int]:
    return [server.row[SCHEMA.slot(HEALTH_CHECKS, each)] for each in CheckResult]


@pytest.mark.parametrize("transform", ["upper", "echo"])
async def test_healthy(serving: NewServing, authority: Authority, tls: dict[str, Any], transform: str) -> None:
    """A server that answers is healthy, however full it is and whatever it demands of others; only checks count it."""
    demanding = {"allow": ("192.0.2.0/24",), "proxy_protocol": "v2", "max_connections": 1}
    async with serving(transform=transform, **demanding, **tls, tls_client_ca=authority.file) as server:
        await server.connect("unix")
        before = server.row.tolist()
        await _check(server)
        await server.until(lambda: _counted(server) == [1, 0, 0], "the check to be counted")
        before[SCHEMA.slot(HEALTH_CHECKS, CheckResult.OK)] = 1
        assert server.row.tolist() == before


@pytest.mark.parametrize("fault", ["corrupt", "refuse", "stall"])
async def test_faults_spare_checks(serving: NewServing, fault: str) -> None:
    """A server that is meant to be faulty is not dead."""
    async with serving(fault=(f"{fault}=1",)) as server:
        await _check(server)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"transform": "echo"}}, r"worker 0 answered b'AZ' to b'aZ'"),
        ({"ready": False}, "not ready: it is starting or stopping"),
        ({"health_check_sockets": ["@gone"]}, "no answer from worker 0: Connection refused.*where the server runs"),
        ({"health_check_sockets": 7}, "is not the admin endpoint of a stentor-server"),
    ],
)
async def test_unhealthy(serving: NewServing, changes: dict[str, Any], message: str) -> None:
    """A server that is not there, not ready or answers anything else is not healthy, and the message says why."""
    async with serving() as server:
        with pytest.raises(Failure, match=message) as failure:
            await _check(server, **changes)
        assert failure.value.code == COULD_NOT_START


async def test_other_user(serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can connect to an abstract socket; who is neither the same user nor root is refused and counted."""
    monkeypatch.setattr(side_door, "peer_user", lambda _fd: 12345)
    async with serving() as server:
        with pytest.raises(Failure, match=r"no answer from worker 0: .* as its user or root"):
            await _check(server)
        assert _counted(server) == [0, 0, 1]


async def test_stuck_worker() -> None:
    """A worker that accepts nothing is not healthy, after the time-out."""
    with Listeners() as listeners:
        listeners.add_side_doors("stuck", 1)
        status = {"health_check_sockets": listeners.side_doors, "config": {"transform": "upper"}}
        async with _admin(status) as port:
            with pytest.raises(Failure, match="no answer from worker 0: timed out"):
                await _health(port, timeout=0.2)


async def test_checks_that_are_given_up(serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that neither asks nor ends is closed, also by a drain, and counted as failed."""
    async with serving() as server:
        first, second = server.connect_queued("side"), server.connect_queued("side")
        await server.until(lambda: len(server.server.side_door.checks) == 2, "the checks to be accepted")
        assert await second.exchange(b"asked") == b"ASKED"
        (given_up, _) = server.server.side_door.checks.values()
        given_up.opened_at -= side_door.CHECK_SECONDS + 1
        await first.receive_all()
        assert _counted(server) == [0, 1, 0]
        await asyncio.gather(server.drain(), second.receive_all())
        assert _counted(server) == [1, 1, 0]


@pytest.mark.parametrize(
    ("host", "message"), [("a b", "is not a host name: check --admin-host"), ("a..b", "no answer")]
)
async def test_admin_host_that_is_none(host: str, message: str) -> None:
    """It is reported in one line."""
    with pytest.raises(Failure, match=message):
        await _health(1, host)


async def test_admin_endpoint_that_is_none() -> None:
    """Whatever else answers at the port of the admin endpoint is not healthy."""
    with (
        LyingServer(lambda connection: connection.sendall(b"A" * len(connection.recv(4096)))) as liar,
        pytest.raises(Failure, match="the answer is not HTTP, or incomplete"),
    ):
        await _health(int(liar.target.rpartition(":")[2]))
