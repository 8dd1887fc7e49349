"""Which requests the admin endpoint refuses: those that a browser makes for another site's page."""

import ipaddress
import re
import socket
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_MISDIRECTED = "The admin endpoint does not have this host name. Add it with --admin-name (STENTOR_ADMIN_NAME).\n"
_FROM_ELSEWHERE = "The admin endpoint does not answer pages of other sites.\n"
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:]*))(?::[0-9]*)?")  # of an address or a name, and a port


def guard(names: Iterable[str]) -> Middleware:
    """Return a middleware that answers requests for an IP address, `localhost`, this machine's name or one of `names`.

    An attacker can make a name of their own resolve to this machine, and so have a browser read what is served here
    (DNS rebinding). `Host` then has that name. It never has an address: that would be another origin for the browser.
    """
    known = {"localhost", *(name.lower() for name in (socket.gethostname(), *names))}

    @web.middleware
    async def refuse(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "")
        if not _is_own(host, known):
            return web.Response(status=421, text=_MISDIRECTED)
        if _is_from_elsewhere(request, host):
            return web.Response(status=403, text=_FROM_ELSEWHERE)
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


def _is_from_elsewhere(request: web.Request, host: str) -> bool:
    """Whether a page of another site asks, rather than a person who follows a link from there.

    A link may lead to any page here, such as from Prometheus to `/metrics`, but not have an effect by its query.
    """
    headers = request.headers
    origin = headers.get("Origin")
    if origin is not None and origin.lower() not in {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}:
        return True
    if headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}:
        return False
    way = (request.method, headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest"), request.query_string)
    return way != ("GET", "navigate", "document", "")
