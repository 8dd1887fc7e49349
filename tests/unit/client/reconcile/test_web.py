"""Reading over HTTP."""

import asyncio
import gzip
import socket
import threading
from pathlib import Path

import pytest

from certificates import Authority
from lying import Behaviour, LyingServer, stay_silent
from stentor_chassis.failure import Failure
from stentor_client.reconcile import web
from stentor_client.reconcile.web import get
from stentor_client.verify.outcomes import NOT_REACHED
from stentor_client.wire import lookup
from stentor_client.wire.lookup import Found
from unit.client.reconcile.endpoints import answering


def test_get() -> None:
    """A body of the longest kind is returned whole, also when the environment names a proxy that has no way there."""
    body = bytes(range(256)) * 4096
    with answering(lambda _: (200, body)) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("http_proxy", "http://127.0.0.1:1")
        assert asyncio.run(get(f"{url}/metrics")) == (200, "OK", body)


def _fails(url: str, why: str) -> None:
    with pytest.raises(Failure) as failure:
        asyncio.run(get(url))
    assert failure.value.code == NOT_REACHED
    assert failure.value.message == f"cannot read {url.partition('?')[0]}: {why}"


def _sends(head: bytes, dripping: bytes = b"") -> Behaviour:
    """Return a server that answers this, and then one thing again and again."""

    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while dripping:
            connection.sendall(dripping)
            threading.Event().wait(0.02)

    return answer


@pytest.mark.parametrize(
    "behaviour",
    [
        stay_silent,
        _sends(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        _sends(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        _sends(b"HTTP/1.1 500 Oops\r\nContent-Length: 999\r\n\r\n", b"x"),
        _sends(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "head", "body", "error", "continue"],
)
def test_no_end(monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour) -> None:
    """An answer that does not end is given up in time, wherever it stalls."""
    monkeypatch.setattr(web, "_TIMEOUT_SECONDS", 0.2)
    with LyingServer(behaviour) as server:
        _fails(f"http://{server.target}/?query=up", "no answer within 0.2 s")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na 1\n", "the answer ended early"),
        (b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n9\r\na 1\n", "the answer ended early"),
        (b"", "it closed the connection without an answer"),
        (b"GET / HTTP/1.1\r\n\r\n", "it does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "it does not speak HTTP"),
    ],
)
def test_broken_answer(answer: bytes, why: str) -> None:
    """Half an exposition would be other counts: what was announced must be there."""
    with LyingServer(_sends(answer)) as server:
        _fails(f"http://{server.target}/?query=up", why)


def test_redirect() -> None:
    """A redirect is not followed; the line names the address, cut and without control characters."""
    asked: list[str] = []

    def other_host(path: str) -> tuple[int, bytes]:
        asked.append(path)
        return 200, b""

    with answering(other_host) as other:
        target = f"{other}/metrics"
        head = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        with LyingServer(_sends(head.encode())) as server:
            _fails(f"http://{server.target}/?query=up", f"it redirects to '{target}'; use that URL")
    head = "HTTP/1.1 307 Temporary Redirect\r\nLocation: \x9b2J" + "x" * 5000 + "\r\n\r\n"
    with LyingServer(_sends(head.encode())) as server:
        _fails(f"http://{server.target}/", f"it redirects to '\\x9b2J{'x' * 297}'; use that URL")
    assert asked == []


def test_tls(tmp_path: Path) -> None:
    """A certificate that nobody vouches for is one line, without the library's own words."""
    authority = Authority(tmp_path)
    with (
        LyingServer(stay_silent, authority.serve(authority.issue("server"))) as server,
        pytest.raises(Failure, match=r"the server's certificate is not trusted: [a-z -]+$"),
    ):
        asyncio.run(get(f"https://{server.target}/"))


def test_too_long() -> None:
    """A body over 1 MiB is not read to its end."""
    with answering(lambda _: (200, bytes((1 << 20) + 1))) as url:
        _fails(f"{url}/?query=up", "the answer is longer than 1 MiB")


def test_compressed() -> None:
    """A compressed body is not asked for, and stays as small as it is."""
    bomb = gzip.compress(bytes(64 << 20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    with LyingServer(_sends(head.encode() + bomb)) as server:
        assert asyncio.run(get(f"http://{server.target}/")).body == bomb


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label empty"), "not a valid host name"),
    ],
)
def test_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch, error: Exception, why: str) -> None:
    """A name without an address is one line."""

    def fail(_host: str, _port: int, flags: int = 0) -> Found:
        raise error

    monkeypatch.setattr(lookup, "_ask", fail)
    _fails("http://name/", why)
