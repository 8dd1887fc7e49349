"""The admin endpoint: metrics, health, readiness and status over HTTP, in the control process."""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from stentor_chassis.encoding import encode
from stentor_chassis.failure import COULD_NOT_START, Failure

_SHUTDOWN_SECONDS = 0.2  # who is still reading when the service ends is cut off


class Admin:
    """Serves `/metrics`, `/healthz`, `/readyz` and `/status`; every other path is 404."""

    def __init__(
        self,
        registry: CollectorRegistry,
        ready: Callable[[], bool],
        status: Callable[[], dict[str, Any]],
        hear: Callable[[Mapping[str, str]], None] = lambda _query: None,
    ) -> None:
        """Answer from what the functions return at each request; `hear` gets the query of `/readyz`.

        What `hear` raises `ValueError` for is answered with 400.
        """
        self._ready = ready
        self._hear = hear
        self._status = status
        application = web.Application()
        application.add_routes(
            [
                web.get("/metrics", make_aiohttp_handler(registry)),
                web.get("/healthz", self._healthz),
                web.get("/readyz", self._readyz),
                web.get("/status", self._show_status),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)

    async def start(self, host: str, port: int) -> str:
        """Listen, and return the base URL; raise `Failure` where the address cannot be had."""
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, host, port)
            await site.start()
        except (OSError, UnicodeError) as error:
            await self._runner.cleanup()
            plain = isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno
            reason = os.strerror(plain) if plain else getattr(error, "strerror", None) or "it is no host name"
            message = f"cannot listen on {host} port {port} for the admin endpoint: {reason}"
            raise Failure(COULD_NOT_START, message) from error
        bound_host, bound_port = self._runner.addresses[0][:2]
        return f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"

    async def stop(self) -> None:
        """Listen no more, and cut off who is connected."""
        await self._runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        try:
            self._hear(request.query)
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        if self._ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    async def _show_status(self, _request: web.Request) -> web.Response:
        return web.Response(body=encode(self._status(), indent=True), content_type="application/json")
