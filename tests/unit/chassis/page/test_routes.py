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


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("path", "kind"), KINDS.items())
async def test_headers(method: str, path: str, kind: str) -> None:
    """Everything comes with its type, is never kept, and may load and do nothing but what the page needs."""
    async with _page() as session, session.request(method, path) as response:
        assert (response.status, response.content_type) == (200, kind)
        assert set(response.headers["Content-Security-Policy"].split("; ")) == POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"
        assert int(response.headers["Content-Length"]) > 10
        assert bool(await response.read()) == (method == "GET")


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_wrong_methods(method: str, path: str) -> None:
    """Nothing can be written, and the answer says what can be done."""
    async with _page() as session, session.request(method, path) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


async def test_recent() -> None:
    """What there is to show is asked for from a number on, by default from the first."""
    async with _page() as session:
        for query, number in (("", 0), ("?from=0", 0), ("?from=41", 41)):
            async with session.get(f"/recent{query}") as response:
                assert json.loads(await response.text()) == {"from": number}


@pytest.mark.parametrize("number", ["", "-1", "1.5", "x", "٣", "9" * 5000])
async def test_wrong_number(number: str) -> None:
    """What is no number of a snapshot is refused."""
    async with _page() as session, session.get("/recent", params={"from": number}) as response:
        assert (response.status, await response.text()) == (400, "from: the number of a snapshot is wanted\n")
        assert response.headers["Cache-Control"] == "no-store"


async def test_page_names_its_service() -> None:
    """Title and heading are the service's name, whatever characters it has, also for who runs no scripts."""
    async with _page("a<b>") as session, session.get("/") as response:
        text = await response.text()
        assert "<title>a&lt;b&gt;</title>" in text
        assert "<h1>a&lt;b&gt;</h1>" in text
        assert all(f'<a href="{path}">' in text for path in ("metrics", "status", "healthz", "readyz"))


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    """The page loads what the endpoint serves, and scripts never make elements of text."""
    texts = {each.name: each.read_text() for each in files("stentor_chassis.page").iterdir() if each.is_file()}
    page, script = texts["page.html"], texts["page.js"] + texts["drawing.js"]
    assert {f"/{name}" for name in re.findall(r"""(?:src|href)="([^"]+\.\w+)\"""", page)} < KINDS.keys()
    assert not re.findall(r"<style|<script(?! type=\"module\" src=)|\sstyle=|\son\w+=", page)
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(|\.style\b", script
    )
    assert [text for text in texts.values() if re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)] == []
