"""The admin endpoint: metrics, health, readiness, status and pages over HTTP, in the control process."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage
from prometheus_client import CollectorRegistry

from stentor_chassis.address import printable
from stentor_chassis.admin.guard import guard
from stentor_chassis.admin.negotiation import preferred_format, prefers_gzip
from stentor_chassis.encoding import encode
from stentor_chassis.failure import COULD_NOT_START, Failure, shortage

MAX_CONNECTIONS = 64  # twice as many for an instant, when the kernel's whole queue is accepted at once
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

    def eof_received(self) -> bool:  # type: ignore[override] # the library would cancel what it has yet to answer
        """Answer what the client requested before it ended its side, and then close."""
        if self._messages:
            message, body = self._messages[-1]
            if isinstance(message, RawRequestMessage):  # otherwise it is an error, after which the library closes
                self._messages[-1] = (message._replace(should_close=True), body)
        elif self._waiter is not None:  # for a request
            return False
        else:
            self.close()  # after the answer that is under way
        return True


def _without_expectation(message: RawRequestMessage) -> RawRequestMessage:
    """Drop `Expect`: no body is read, and on a value that is not UTF-8 the library fails."""
    if "Expect" not in message.headers:
        return message
    headers = message.headers.copy()
    del headers["Expect"]
    return message._replace(headers=type(message.headers)(headers))


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
        self._registry = registry
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/status", self._show_status),
                *pages,
            ]
        )
        self._runner = web.AppRunner(application, shutdown_timeout=_SHUTDOWN_SECONDS)
        self._connections: dict[_Connection, asyncio.BaseTransport] = {}
        self._listening: list[asyncio.Server] = []

    async def start(self, host: str, port: int, names: Iterable[str] = ()) -> str:
        """Listen, and return the base URL; raise `Failure` if an address cannot be bound.

        `host` can be several, separated by commas. Requests may have one of them, or of `names`, as their host name,
        besides those that `guard` always accepts.
        """
        hosts = host.split(",")
        self._runner.app.middlewares.append(guard([*hosts, *names]))
        await self._runner.setup()
        server, loop = cast("web.Server", self._runner.server), asyncio.get_running_loop()
        make_request = server.request_factory
        server.request_factory = lambda message, *rest: make_request(_without_expectation(message), *rest)
        try:
            for at in hosts:
                listening = await loop.create_server(
                    lambda: _Connection(server, self._connections), at, port, backlog=MAX_CONNECTIONS
                )
                self._listening.append(listening)
                port = port or listening.sockets[0].getsockname()[1]
        except (OSError, UnicodeError) as error:
            await self.stop()
            plain = isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno
            reason = shortage(plain) if plain else getattr(error, "strerror", None) or "it is not a host name"
            message = f"cannot listen on {at} port {port} for the admin endpoint: {reason}"
            raise Failure(COULD_NOT_START, message) from error
        return "http://" + printable(self._listening[0].sockets[0].getsockname())

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        for listening in self._listening:
            listening.close()
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        """Export in the format and the encoding that the request prefers."""
        names = request.query.getall("name[]", [])
        encode_metrics, content_type = preferred_format(request.headers.getall("Accept", []))
        body = encode_metrics(self._registry.restricted_registry(names) if names else self._registry)
        response = web.Response(body=body, headers={"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"})
        if prefers_gzip(request.headers.getall("Accept-Encoding", [])):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        if self._ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def _show_status(self, _request: web.Request) -> web.Response:
        return web.Response(body=encode(self._status(), indent=True), content_type="application/json")
