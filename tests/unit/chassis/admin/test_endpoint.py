"""The admin endpoint."""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry, Info
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from bench.process import open_descriptors
from stentor_chassis.admin.endpoint import MAX_CONNECTIONS, Admin
from stentor_chassis.failure import COULD_NOT_START, Failure
from unit.looping import eventually


@asynccontextmanager
async def _admin(
    ready: Callable[[], bool] = lambda: True,
    status: Callable[[], dict[str, Any]] = dict,
    host: str = "127.0.0.1",
) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session with an admin endpoint that exports what is running."""
    registry = CollectorRegistry()
    Info("stentor_build", "What is running.", registry=registry).info({"service": "a-service", "version": "1.2.3"})
    admin = Admin(registry, ready, status, [web.get("/slow", _slow)])
    url = await admin.start(host, 0)
    try:
        async with aiohttp.ClientSession(url) as session:
            yield session
    finally:
        await admin.stop()


async def _get(session: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, str, str]:
    async with session.get(path, headers=headers) as response:
        return response.status, response.content_type, await response.text()


async def _raw(session: aiohttp.ClientSession, data: bytes, *, at_once: bool = True) -> bytes:
    """Send bytes, end this side at once or when the answer begins, and return all that is answered."""
    url = urlsplit(str(session._base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(data)
    await writer.drain()
    first = b"" if at_once or not data.endswith(b"\r\n\r\n") else await reader.read(1)
    writer.write_eof()
    reply = first + await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return reply


async def _slow(_request: web.Request) -> web.Response:
    await asyncio.sleep(0.01)
    return web.Response(text="at last\n")


async def test_many_idle_connections() -> None:
    """However many clients stay silent, or do not read, the next one is answered, and the oldest are closed."""
    async with _admin(status=lambda: {"much": "x" * 1_000_000}) as session:
        url = urlsplit(str(session._base_url))
        before = open_descriptors(os.getpid())
        silent = [socket.create_connection((url.hostname, url.port)) for _ in range(2)]
        for each in silent[1:]:
            each.send(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        assert (await _get(session, "/readyz"))[0] == 200
        for _ in range(MAX_CONNECTIONS * 3):
            silent.append(socket.create_connection((url.hostname, url.port)))
            await asyncio.sleep(0)
        assert (await _get(session, "/metrics"))[0] == 200
        ours = len(silent)
        await eventually(
            lambda: open_descriptors(os.getpid()) <= before + ours + MAX_CONNECTIONS + 1, "the oldest to be closed"
        )
        assert (await _get(session, "/readyz"))[0] == 200
        assert silent[0].recv(1) == b""
        for each in silent:
            each.close()


async def test_anything_else() -> None:
    """Other paths are not found, and nothing can be written."""
    async with _admin() as session:
        assert (await _get(session, "/elsewhere"))[0] == 404
        for path in ("/metrics", "/healthz", "/readyz", "/status"):
            async with session.post(path, data=b"x") as response:
                assert response.status == 405


async def test_several_hosts() -> None:
    """Every address of a list is answered, with one port; one that cannot be bound is named, and closes the others."""
    admin, other = (Admin(CollectorRegistry(), lambda: True, dict) for _ in range(2))
    port = int(urlsplit(await admin.start("127.0.0.1,::1", 0)).port or 0)
    async with aiohttp.ClientSession() as session:
        for host in ("127.0.0.1", "[::1]"):
            assert (await _get(session, f"http://{host}:{port}/readyz"))[0] == 200
    with pytest.raises(Failure, match=f"^cannot listen on ::1 port {port} for the admin endpoint: Address") as failure:
        await other.start("127.0.0.2,::1", port)
    assert failure.value.code == COULD_NOT_START
    with socket.create_server(("127.0.0.2", port)):
        await admin.stop()
    with pytest.raises(Failure, match="for the admin endpoint: it is not a host name"):
        await Admin(CollectorRegistry(), lambda: True, dict).start("a..b", 0)


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


@pytest.mark.parametrize("accept", ["*/*", "application/openmetrics-text"])
async def test_metrics(accept: str) -> None:
    """The metrics are there as text and as OpenMetrics, compressed if asked for, and some of them by name."""
    async with _admin() as session:
        for encoding, query in (("gzip;q=0", ""), ("gzip", "?name[]=stentor_build_info")):
            headers = {"Accept": accept, "Accept-Encoding": encoding}
            async with session.get(f"/metrics{query}", headers=headers) as response:
                text, compressed = await response.text(), response.headers.get("Content-Encoding")
            assert (response.status, compressed) == (200, None if "=" in encoding else "gzip")
            parse = parse_text if accept == "*/*" else parse_openmetrics
            (family,) = parse(text)
            assert {"service": "a-service", "version": "1.2.3"}.items() <= family.samples[0].labels.items()
        assert not re.findall("^[^#]", await (await session.get("/metrics?name[]=other")).text(), re.MULTILINE)


@pytest.mark.parametrize(("path", "status"), [("/metrics", b"200"), ("/elsewhere", b"404"), ("*", b"400")])
@pytest.mark.parametrize("header", [b"Cookie: \xff", b"Accept: x/y;\xa0version=x", b"Expect: \xff", b"Expect: x"])
async def test_headers_that_are_not_utf8(path: str, status: bytes, header: bytes) -> None:
    """Bytes in a header that are not text are no reason to fail, nor is an expectation."""
    async with _admin() as session:
        reply = await _raw(session, b"GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n\r\n" % (path.encode(), header))
        assert reply.split()[1] == status


@pytest.mark.parametrize(
    ("requests", "answers"),
    [
        (b"GET /readyz HTTP/1.0\r\n\r\n", 1),
        (b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
        (b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30, 30),
        (b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 1),
        (b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n", 1),
        (b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\nnonsense\r\n\r\n", 1),
        (b"GET /readyz HTTP/1.1\r\nHost: loc", 0),
        (b"", 0),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_client_that_ends_its_side(requests: bytes, answers: int, *, at_once: bool) -> None:
    """A client that ends its side after its requests gets all answers, and then the end."""
    async with _admin() as session:
        reply = await _raw(session, requests, at_once=at_once)
        assert reply.count(b"HTTP/1.") == answers
