"""The live page over HTTP: its files, and its data."""

from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from stentor_chassis.encoding import encode
from stentor_chassis.page.document import document

# No content from other sites, nothing inline, no framing.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_FILES = {"page.css": "text/css", "page.js": "text/javascript", "drawing.js": "text/javascript"}


def routes(service: str, recent: Callable[[int], dict[str, Any]]) -> list[web.RouteDef]:
    """Return the routes of a service's page; `recent` returns its data, from a snapshot number on."""
    package = "stentor_chassis.page"
    page = document(package, "page.html", title=escape(service))
    texts = {name: (files(package) / name).read_text(encoding="utf-8") for name in _FILES}
    return [
        web.get("/", _constant(page, "text/html")),
        *(web.get(f"/{name}", _constant(texts[name], kind)) for name, kind in _FILES.items()),
        web.get("/recent", _recent(recent)),
    ]


def _constant(text: str, kind: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, headers=_HEADERS)

    return answer


def _recent(recent: Callable[[int], dict[str, Any]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        number = request.query.get("from", "0")
        if not (number.isascii() and number.isdecimal() and len(number) < 16):
            return web.Response(status=400, text="from must be the number of a snapshot\n", headers=_HEADERS)
        return web.Response(body=encode(recent(int(number))), content_type="application/json", headers=_HEADERS)

    return answer
