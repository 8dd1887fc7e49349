"""The admin endpoint: metrics, health, readiness, status and pages over HTTP, in the control process."""

import asyncio
import os
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler
from prometheus_client.exposition import choose_encoder

from stentor_chassis.admin.guard import guard
from stentor_chassis.encoding import encode
from stentor_chassis.failure import COULD_NOT_START, Failure

MOST_CONNECTIONS = 64  # and as many more for an instant: what the kernel's queue holds is accepted in one go
# In `Accept`; as any parameter it may be quoted, RFC 9110 section 5.6.6, which the library does not know.
_VERSION = re.compile(r';[ \t]*version="([^"]*)"|;[ \t]*version=', re.IGNORECASE)
_SHUTDOWN_SECONDS = 0.2  # who is still reading when the service ends is cut off


class _Visitor(web.RequestHandler):
    """One HTTP connection; where there are too many, it takes the place of the oldest.

    Whoever opens connections and leaves them would else take the descriptors with which the control process starts
    workers. Who comes last always gets in, and a scraper whose idle connection was closed opens another.
    """

    __slots__ = ("_visitors",)

    def __init__(self, server: web.Server, visitors: dict["_Visitor", asyncio.BaseTransport]) -> None:
        """Be one of `visitors`, which are in the order in which they came."""
        super().__init__(server, loop=asyncio.get_running_loop(), access_log=None)  # type: ignore[arg-type] # none
        self._visitors = visitors

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Come in."""
        super().connection_made(transport)
        self._visitors[self] = transport
        if len(self._visitors) > MOST_CONNECTIONS:
            oldest = self._visitors.pop(next(iter(self._visitors)))
            cast("asyncio.Transport", oldest).abort()  # close() would wait for who does not read

    def connection_lost(self, exc: BaseException | None) -> None:
        """Leave."""
        self._visitors.pop(self, None)
        super().connection_lost(exc)


async def _ignore_expectation(_request: web.Request) -> None:
    """Answer as if there were no `Expect`: no body is read, and on a value that is not UTF-8 the library fails."""


class Admin:
    """Serves `/metrics`, `/healthz`, `/readyz`, `/status` and the pages it is given; every other path is 404."""

    def __init__(
        self,
        registry: CollectorRegistry,
        ready: Callable[[], bool],
        status: Callable[[], dict[str, Any]],
        on_readiness_query: Callable[[Mapping[str, str]], None] = lambda _query: None,
        pages: Iterable[web.RouteDef] = (),
    ) -> None:
        """Answer from what the functions return at each request; `on_readiness_query` gets the query of `/readyz`.

        If it raises `ValueError`, the answer is 400.
        """
        self._ready = ready
        self._on_readiness_query = on_readiness_query
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
        self._visitors: dict[_Visitor, asyncio.BaseTransport] = {}
        self._listening: asyncio.Server | None = None

    async def start(self, host: str, port: int, names: Iterable[str] = ()) -> str:
        """Listen, and return the base URL; raise `Failure` if the address cannot be had.

        Besides those that `guard` always accepts, `host` and `names` are the host names in requests that are answered.
        """
        self._runner.app.middlewares.append(guard([host, *names]))
        await self._runner.setup()
        server, loop = cast("web.Server", self._runner.server), asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(
                lambda: _Visitor(server, self._visitors), host, port, backlog=MOST_CONNECTIONS
            )
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            plain = isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno
            reason = os.strerror(plain) if plain else getattr(error, "strerror", None) or "it is no host name"
            message = f"cannot listen on {host} port {port} for the admin endpoint: {reason}"
            raise Failure(COULD_NOT_START, message) from error
        bound_host, bound_port = self._listening.sockets[0].getsockname()[:2]
        return f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"

    async def stop(self) -> None:
        """Listen no more, and cut off who is connected."""
        if self._listening is not None:
            self._listening.close()
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.StreamResponse:
        """Export in the format that `Accept` asks for, or in the plainest if the library fails on what it says."""
        accept = ",".join(request.headers.getall("Accept", []))
        accept = _VERSION.sub(lambda found: f";version={found[1] or ''}", accept)
        try:
            choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is no number, or one of thousands of digits
            accept = ""
        # Without the other headers: a clone fails on those that are not UTF-8.
        return await self._export(request.clone(headers={"Accept": accept if accept.isascii() else ""}))

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        try:
            self._on_readiness_query(request.query)
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        if self._ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def _show_status(self, _request: web.Request) -> web.Response:
        return web.Response(body=encode(self._status(), indent=True), content_type="application/json")
