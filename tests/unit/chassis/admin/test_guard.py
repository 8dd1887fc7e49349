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

    async def scenario() -> int:
        response = await guard(["Server", "stentor.example.org"])(make_mocked_request(method, path, headers), answer)
        return response.status

    return await scenario()


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8081", "192.0.2.7:80", "[::1]", "[::1]:8081", "[fe80::1%eth0]:1", "", "localhost"),
        *("localhost:8081", "LocalHost.", "server", "SERVER:8081", "stentor.example.org", socket.gethostname()),
    ],
)
async def test_own_hosts(host: str) -> None:
    """By any address, and by every name that it has, the endpoint answers, whatever the port."""
    assert await _status({"Host": host}) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example.org", "evil.example.org:8081", "127.0.0.1.example.org", "localhost.example.org", "other"),
        *("example.org", "[::1", "::1", "[evil]:8081", "localhost:port", "user@localhost", "127.1", "a b", "é"),
    ],
)
async def test_other_hosts(host: str) -> None:
    """By a name that it does not have it does not: somebody else may have made the name lead here."""
    assert await _status({"Host": host}) == 421


async def test_no_host() -> None:
    """HTTP/1.0 needs no host."""
    assert await _status({}) == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unheard-of"])
async def test_from_other_sites(site: str) -> None:
    """A page of another site can neither read nor frame what is here, but may have a link to it without a query."""
    headers = {**HOST, "Sec-Fetch-Site": site}
    assert await _status({**headers, **LINK}, path="/metrics") == 200
    assert await _status({**headers, **LINK}, path="/readyz?health_check=began") == 403
    assert await _status({**headers, **LINK}, method="POST") == 403
    assert await _status({**headers, **LINK, "Sec-Fetch-Dest": "iframe"}) == 403
    assert await _status({**headers, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}) == 403
    assert await _status(headers) == 403


@pytest.mark.parametrize("site", ["none", "same-origin"])
async def test_from_here(site: str) -> None:
    """A page of the endpoint's own, and a person who types its address, get everything."""
    assert await _status({**HOST, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors"}, path="/recent?from=3") == 200


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
