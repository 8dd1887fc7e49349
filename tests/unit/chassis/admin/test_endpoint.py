"""The admin endpoint."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from procfs import descriptors
from stentor_chassis.admin.endpoint import MOST_CONNECTIONS, Admin
from stentor_chassis.counters.collector import BuildCollector
from stentor_chassis.failure import COULD_NOT_START, Failure
from unit.looping import eventually


@asynccontextmanager
async def _admin(
    ready: Callable[[], bool] = lambda: True,
    status: Callable[[], dict[str, Any]] = dict,
    host: str = "127.0.0.1",
    hear: Callable[[Mapping[str, str]], None] = lambda _query: None,
) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session with an admin endpoint that exports what is running."""
    registry = CollectorRegistry()
    registry.register(BuildCollector("a-service", "1.2.3"))
    admin = Admin(registry, ready, status, hear)
    url = await admin.start(host, 0)
    try:
        async with aiohttp.ClientSession(url) as session:
            yield session
    finally:
        await admin.stop()


async def _get(session: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, str, str]:
    async with session.get(path, headers=headers) as response:
        return response.status, response.content_type, await response.text()


async def test_metrics_as_text() -> None:
    """Metrics come in Prometheus' text format unless something else is asked for."""
    async with _admin() as session:
        status, kind, text = await _get(session, "/metrics")
        assert (status, kind) == (200, "text/plain")
        (family,) = parse_text(text)
        assert family.samples[0].name == "stentor_build_info"
        assert {"service": "a-service", "version": "1.2.3"}.items() <= family.samples[0].labels.items()


async def test_many_idle_connections() -> None:
    """However many connect and say nothing, or do not read, who comes next is answered, at the oldest's cost."""
    async with _admin(status=lambda: {"much": "x" * 1_000_000}) as session:
        url = urlsplit(str(session._base_url))
        before = descriptors(os.getpid())
        silent = [socket.create_connection((url.hostname, url.port)) for _ in range(2)]
        for each in silent[1:]:
            each.send(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        assert (await _get(session, "/readyz"))[0] == 200
        for _ in range(MOST_CONNECTIONS * 3):
            silent.append(socket.create_connection((url.hostname, url.port)))
            await asyncio.sleep(0)
        assert (await _get(session, "/metrics"))[0] == 200
        ours = len(silent)
        await eventually(
            lambda: descriptors(os.getpid()) <= before + ours + MOST_CONNECTIONS + 1, "the oldest to be closed"
        )
        assert (await _get(session, "/readyz"))[0] == 200
        assert silent[0].recv(1) == b""
        for each in silent:
            each.close()


@pytest.mark.parametrize("version", ["", "; version=1.0.0", ';version="1.0.0"', "; Version=1.0.0 ; charset=utf-8"])
async def test_metrics_as_openmetrics(version: str) -> None:
    """Who asks for OpenMetrics gets it."""
    async with _admin() as session:
        wanted = f"application/openmetrics-text{version}"
        status, kind, text = await _get(session, "/metrics", Accept=wanted)
        assert (status, kind) == (200, "application/openmetrics-text")
        (family,) = parse_openmetrics(text)  # type: ignore[no-untyped-call]
        assert family.name == "stentor_build"


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=abc",
        'text/plain;version="1.0.0-rc1"',
        "text/plain;version=1.x",
        "*/*",
        "¹",
        "text/plain;version=1." + "9" * 5000,
        "text/plain;version= 1",
        'text/plain;version="1',
    ],
)
async def test_metrics_in_a_version_that_nobody_knows(accept: str) -> None:
    """Whatever else is asked for, there is an answer: the text format that everybody reads."""
    async with _admin() as session:
        status, kind, text = await _get(session, "/metrics", Accept=accept)
        assert (status, kind) == (200, "text/plain")
        assert len(list(parse_text(text))) == 1


@pytest.mark.parametrize("header", [b"Cookie: \xff", b"Accept: x/y;\xa0version=x", b"Expect: \xff"])
async def test_metrics_with_headers_that_are_not_utf8(header: bytes) -> None:
    """Bytes in a header that are no text are no reason to fail."""
    async with _admin() as session:
        url = urlsplit(str(session._base_url))
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n\r\n")
        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
        writer.close()


async def test_health_and_readiness() -> None:
    """Alive is always, ready is what the service says at that moment."""
    ready = False
    async with _admin(ready=lambda: ready) as session:
        assert await _get(session, "/healthz") == (200, "text/plain", "ok\n")
        assert await _get(session, "/readyz") == (503, "text/plain", "not ready\n")
        ready = True
        assert await _get(session, "/readyz") == (200, "text/plain", "ready\n")


async def test_readiness_with_a_query() -> None:
    """The service hears the query of who asks whether it is ready, before it answers, and can refuse it."""
    heard: list[dict[str, str]] = []

    def hear(query: Mapping[str, str]) -> None:
        heard.append({**query})
        if query.get("colour") == "blue":
            raise ValueError("not blue")

    async with _admin(ready=lambda: heard[-1:] == [{"colour": "red"}], hear=hear) as session:
        assert (await _get(session, "/readyz"))[0] == 503
        assert (await _get(session, "/readyz?colour=red"))[0] == 200
        assert await _get(session, "/readyz?colour=blue") == (400, "text/plain", "not blue\n")
        assert heard == [{}, {"colour": "red"}, {"colour": "blue"}]


async def test_status() -> None:
    """The status is what the service says at that moment, as JSON, whatever it holds."""
    facts: dict[str, Any] = {"workers": [{"pid": 7}], "odd": {3}}
    async with _admin(status=lambda: facts) as session:
        status, kind, text = await _get(session, "/status")
        assert (status, kind) == (200, "application/json")
        assert json.loads(text) == {"workers": [{"pid": 7}], "odd": "{3}"}
        facts["workers"] = []
        assert json.loads((await _get(session, "/status"))[2])["workers"] == []


async def test_anything_else() -> None:
    """Other paths are not found, and nothing can be written."""
    async with _admin() as session:
        assert (await _get(session, "/elsewhere"))[0] == 404
        for path in ("/metrics", "/healthz", "/readyz", "/status"):
            async with session.post(path, data=b"x") as response:
                assert response.status == 405


async def test_port_in_use() -> None:
    """A port that is taken is a failure to start that names the port and what it is for."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Failure, match=f"127.0.0.1 port {port} for the admin endpoint: Address") as failure:
            await Admin(CollectorRegistry(), lambda: True, dict).start("127.0.0.1", port)
        assert failure.value.code == COULD_NOT_START


@pytest.mark.parametrize("host", ["no.such.name." * 20, "a..b"], ids=["long", "gap"])
async def test_host_that_does_not_resolve(host: str) -> None:
    """A host that is no name is a failure to start that names it."""
    with pytest.raises(Failure, match="for the admin endpoint") as failure:
        await Admin(CollectorRegistry(), lambda: True, dict).start(host, 0)
    assert failure.value.code == COULD_NOT_START


async def test_url() -> None:
    """The base URL names the port that was taken, and an address of IPv6 in brackets."""
    hosts = {"127.0.0.1": "http://127.0.0.1:"} | ({"::1": "http://[::1]:"} if socket.has_dualstack_ipv6() else {})
    for host, base in hosts.items():
        admin = Admin(CollectorRegistry(), lambda: True, dict)
        url = await admin.start(host, 0)
        assert url.startswith(base)
        assert urlsplit(url).port
        await admin.stop()


async def test_stop_cuts_off() -> None:
    """A stop does not wait for who keeps the endpoint busy, and nobody can connect after it."""
    admin = Admin(CollectorRegistry(), lambda: True, dict)
    url = urlsplit(await admin.start("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: unfinished\r\n")
    await writer.drain()
    await asyncio.wait_for(admin.stop(), 5)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(url.hostname, url.port)
