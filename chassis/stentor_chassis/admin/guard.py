"""Refuses requests to the admin endpoint that a browser makes for a page of another site."""

import ipaddress
import re
import socket
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_MISDIRECTED = "This is not a host name of the admin endpoint. Add it with --admin-name (STENTOR_ADMIN_NAME).\n"
_CROSS_SITE = "The admin endpoint refuses requests from pages of other sites.\n"
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?")  # of an address or a name, and a port


def guard(names: Iterable[str]) -> Middleware:
    """Return a middleware that accepts an IP address, `localhost`, this machine's name and `names` as host names.

    This prevents DNS rebinding: an attacker makes a name resolve to this machine, so that the attacker's page can read
    what is served here. `Host` then contains that name, never an address, which would be another origin.
    """
    known = {"localhost", *(name.lower().removesuffix(".") for name in (socket.gethostname(), *names))}

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if not _is_own(host, known):
            return web.Response(status=421, text=_MISDIRECTED)
        if _is_cross_site(request, host):
            return web.Response(status=403, text=_CROSS_SITE)
        return await handler(request)

    return refuse


def _is_own(host: str, known: set[str]) -> bool:
    if not host:  # HTTP/1.0, which no browser speaks
        return True
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    if (found[2] or "").lower().removesuffix(".") in known:
        return True
    try:
        ipaddress.ip_address(found[1] or found[2])
    except ValueError:
        return False
    return True


def _is_cross_site(request: web.Request, host: str) -> bool:
    """Return whether a page of another site sent the request; a person may follow a link from such a page."""
    headers = request.headers
    origin = headers.get("Origin")
    if origin is not None and origin.lower() not in {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}:
        return True
    if headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
        return False
    navigation = (request.method, headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest"))
    return navigation != ("GET", "navigate", "document")
