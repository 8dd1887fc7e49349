"""Which requests the admin endpoint refuses."""

import socket

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from stentor_chassis.admin.guard import guard

HOST = {"Host": "server:8081"}
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


async def _status(headers: dict[str, str], method: str = "GET", path: str = "/status") -> int:
    """Return the status that a request to a service with two names is answered with."""

    async def answer(_request: web.Request) -> web.Response:
        return web.Response()

    response = await guard(["Server", "stentor.example.org."])(make_mocked_request(method, path, headers), answer)
    return response.status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        *(("http://server:8081", 200), ("https://Server:8081", 200), ("http://server", 403), ("null", 403)),
        *(("http://evil.example.org", 403), ("ftp://server:8081", 403), ("", 403), ("http://[", 403)),
    ],
)
async def test_origin(origin: str, status: int) -> None:
    """An origin that is not the endpoint's own is refused, also by browsers that say nothing else."""
    assert await _status({**HOST, "Origin": origin}) == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *((host, 200) for host in ("127.0.0.1", "[::1]:8081", "[fe80::1%eth0]:1", "", "LocalHost.", "SERVER:8081")),
        *((host, 200) for host in ("stentor.example.org", socket.gethostname(), None)),  # HTTP/1.0 needs no host
        *((host, 421) for host in ("evil.example.org:8081", "127.0.0.1.example.org", "localhost.example.org", "other")),
        *((host, 421) for host in ("[::1", "::1", "[evil]:8081", "localhost:port", "user@localhost", "127.1", "é")),
    ],
)
async def test_host(host: str | None, status: int) -> None:
    """The endpoint answers to any address and to its own names; an attacker can make any other name lead here."""
    assert status == await _status({} if host is None else {"Host": host})


@pytest.mark.parametrize(
    ("site", "headers", "request_", "status"),
    [
        # A page of another site may have a link to what is here, but neither read nor frame it.
        ("cross-site", LINK, ("GET", "/metrics"), 200),
        ("same-site", LINK, ("GET", "/recent?from=3"), 200),
        ("cross-site", LINK, ("POST", "/status"), 403),
        ("unheard-of", {**LINK, "Sec-Fetch-Dest": "iframe"}, ("GET", "/status"), 403),
        ("same-site", {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, ("GET", "/status"), 403),
        ("cross-site", {}, ("GET", "/status"), 403),
        # A page of the endpoint's own, and a person who types its address, get everything.
        ("none", {"Sec-Fetch-Mode": "cors"}, ("GET", "/recent?from=3"), 200),
        ("same-origin", {"Sec-Fetch-Mode": "cors"}, ("GET", "/recent?from=3"), 200),
    ],
)
async def test_site(site: str, headers: dict[str, str], request_: tuple[str, str], status: int) -> None:
    """The page that makes a request decides about it."""
    assert status == await _status({**HOST, "Sec-Fetch-Site": site, **headers}, *request_)
