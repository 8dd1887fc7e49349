"""The live page over HTTP."""

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from stentor_chassis.admin.endpoint import Admin
from stentor_chassis.page.routes import routes

KINDS = {
    "/": "text/html",
    "/page.css": "text/css",
    "/page.js": "text/javascript",
    "/drawing.js": "text/javascript",
    "/recent": "application/json",
}
POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
}


@asynccontextmanager
async def _page(
    service: str = "an-example", recent: Callable[[int], dict[str, Any]] = lambda number: {"from": number}
) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a session with an admin endpoint that has a page."""
    admin = Admin(CollectorRegistry(), lambda: True, dict, pages=routes(service, recent))
    url = await admin.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(url) as session:
            yield session
    finally:
        await admin.stop()


@pytest.mark.parametrize(("path", "kind"), KINDS.items())
async def test_headers(path: str, kind: str) -> None:
    """Everything has its type, is never cached, and may load only what the page needs; nothing can be written."""
    async with _page() as session:
        for method in ("GET", "HEAD"):
            async with session.request(method, path) as response:
                assert (response.status, response.content_type) == (200, kind)
                assert set(response.headers["Content-Security-Policy"].split("; ")) == POLICY
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Referrer-Policy"] == "no-referrer"
                assert response.headers["Cache-Control"] == "no-store"
                assert int(response.headers["Content-Length"]) > 10
                assert bool(await response.read()) == (method == "GET")
        async with session.post(path) as response:
            assert (response.status, set(response.headers["Allow"].split(","))) == (405, {"GET", "HEAD"})


async def test_recent() -> None:
    """Snapshots can be asked for from a number on, by default from the first; anything else is refused."""
    async with _page() as session:
        for query, number in (("", 0), ("?from=0", 0), ("?from=41", 41)):
            async with session.get(f"/recent{query}") as response:
                assert json.loads(await response.text()) == {"from": number}
        for wrong in ("", "-1", "1.5", "x", "٣", "9" * 5000):
            async with session.get("/recent", params={"from": wrong}) as response:
                assert (response.status, await response.text()) == (400, "from must be the number of a snapshot\n")
                assert response.headers["Cache-Control"] == "no-store"


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    """The page loads only what the endpoint serves, and scripts never turn text into elements."""
    texts = {each.name: each.read_text() for each in files("stentor_chassis.page").iterdir() if each.is_file()}
    page, script = texts["page.html"], texts["page.js"] + texts["drawing.js"]
    assert {f"/{name}" for name in re.findall(r"""(?:src|href)="([^"]+\.\w+)\"""", page)} < KINDS.keys()
    assert not re.findall(r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son\w+=", page)
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|\.style\b", script
    )
    assert [text for text in texts.values() if re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)] == []
