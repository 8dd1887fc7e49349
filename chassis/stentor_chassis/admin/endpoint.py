"""The admin endpoint: metrics, health, readiness, status and pages over HTTP, in the control process."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterable
from typing import Any, cast

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.exposition import choose_encoder

from stentor_chassis.address import printable, why_not_bound
from stentor_chassis.admin.guard import guard
from stentor_chassis.encoding import encode
from stentor_chassis.failure import COULD_NOT_START, Failure

MAX_CONNECTIONS = 64  # twice as many for an instant, when the kernel's whole queue is accepted at once
# In `Accept`. It may be quoted like any parameter (RFC 9110, section 5.6.6), which the library does not support.
_VERSION = re.compile(r';[ \t]*version="([^"]*)"|;[ \t]*version=', re.IGNORECASE)
_SHUTDOWN_SECONDS = 0.2  # for clients still reading when the service stops


class _Connection(web.RequestHandler):
    """One HTTP connection; if there are too many, the oldest is closed.

    Idle connections could otherwise use up the descriptors that the control process needs to start workers. A new
    connection is always accepted, and a scraper whose idle connection was closed opens another.
    """

    __slots__ = ("_open",)

    def __init__(self, server: web.Server, open_connections: dict["_Connection", asyncio.BaseTransport]) -> None:
        """Register in `open_connections`, oldest first, while connected."""
        super().__init__(server, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type] # none
        self._open = open_connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register this connection, and close the oldest if there are too many."""
        super().connection_made(transport)
        self._open[self] = transport
        if len(self._open) > MAX_CONNECTIONS:
            oldest = self._open.pop(next(iter(self._open)))
            cast("asyncio.Transport", oldest).abort()  # close() would wait for a client that does not read

    def connection_lost(self, exc: BaseException | None) -> None:
        """Unregister this connection."""
        self._open.pop(self, None)
        super().connection_lost(exc)


async def _ignore_expectation(_request: web.Request) -> None:
    """Answer as if there were no `Expect`: no body is read, and on a value that is not UTF-8 the library fails."""


class Admin:
    """Serves `/metrics`, `/healthz`, `/readyz`, `/status` and additional pages; every other path is 404."""

    def __init__(
        self,
        registry: CollectorRegistry,
        ready: Callable[[], bool],
        status: Callable[[], dict[str, Any]],
        pages: Iterable[web.RouteDef] = (),
    ) -> None:
        """Call the functions for each request."""
        self._ready = ready
        self._status = status
        self._export = make_aiohttp_handler(registry)
        application = web.Application()
        answered = [
            web.get("/metrics", self._metrics),
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/status", self._show_status),
            *pages,
        ]
        application.add_routes(web.get(at.path, at.handler, expect_handler=_ignore_expectation) for at in answered)
        self._runner = web.AppRunner(application, shutdown_timeout=_SHUTDOWN_SECONDS)
        self._connections: dict[_Connection, asyncio.BaseTransport] = {}
        self._listening: asyncio.Server | None = None

    async def start(self, host: str, port: int, names: Iterable[str] = ()) -> str:
        """Listen, and return the base URL; raise `Failure` if the address cannot be bound.

        Requests may have `host` or one of `names` as their host name, besides those that `guard` always accepts.
        """
        self._runner.app.middlewares.append(guard([host, *names]))
        await self._runner.setup()
        server, loop = cast("web.Server", self._runner.server), asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(
                lambda: _Connection(server, self._connections), host, port, backlog=MAX_CONNECTIONS
            )
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            plain = isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno
            reason = why_not_bound(plain) if plain else getattr(error, "strerror", None) or "it is not a host name"
            message = f"cannot listen on {host} port {port} for the admin endpoint: {reason}"
            raise Failure(COULD_NOT_START, message) from error
        return "http://" + printable(self._listening.sockets[0].getsockname())

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        """Export in the format that `Accept` requests, or as plain text if the library cannot parse it."""
        accept = ",".join(request.headers.getall("Accept", []))
        accept = _VERSION.sub(lambda found: f";version={found[1] or ''}", accept)
        try:
            choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is not a number, or has thousands of digits
            accept = ""
        # Without the other headers: cloning fails if one is not UTF-8.
        return await self._export(request.clone(headers={"Accept": accept if accept.isascii() else ""}))

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        if self._ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def _show_status(self, _request: web.Request) -> web.Response:
        return web.Response(body=encode(self._status(), indent=True), content_type="application/json")
