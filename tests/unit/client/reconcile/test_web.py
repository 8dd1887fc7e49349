"""Reading over HTTP."""

import socket
import threading
from urllib.error import HTTPError

import pytest

from lying import LyingServer, stay_silent
from stentor_chassis.failure import Failure
from stentor_client.reconcile import web
from stentor_client.reconcile.web import get
from stentor_client.verify.outcomes import NOT_REACHED
from unit.client.reconcile.endpoints import answering


def test_get() -> None:
    """What is there is returned whole, also when a proxy is named that has no way there."""
    body = bytes(range(256)) * 9000
    with answering(lambda _: (200, body)) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("http_proxy", "http://127.0.0.1:1")
        assert get(f"{url}/metrics") == body


def test_error_status() -> None:
    """An error that is answered is for who asked to read."""
    with answering(lambda _: (404, b"no")) as url, pytest.raises(HTTPError) as error:
        get(url)
    with error.value as answer:
        assert (answer.code, answer.read()) == (404, b"no")


def _fails(url: str, why: str) -> None:
    with pytest.raises(Failure) as failure:
        get(url)
    assert failure.value.code == NOT_REACHED
    assert failure.value.message == f"cannot read {url}: {why}"


def test_refused() -> None:
    """Where nobody listens, one line says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _fails(f"http://127.0.0.1:{port}/metrics", "Connection refused")


def test_name_that_does_not_resolve() -> None:
    """A name that is none is one line."""
    with pytest.raises(Failure, match=r"cannot read http://a\.\.b/: "):
        get("http://a..b/")


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not answer is waited for only so long."""
    monkeypatch.setattr(web, "_TIMEOUT_SECONDS", 0.1)
    with LyingServer(stay_silent) as server:
        _fails(f"http://{server.target}/", "no answer within 0.1 s")


def test_trickle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers without an end, byte by byte, is waited for only so long."""
    monkeypatch.setattr(web, "_TIMEOUT_SECONDS", 0.2)

    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x")
            threading.Event().wait(0.01)

    with LyingServer(trickle) as server:
        _fails(f"http://{server.target}/", "no answer within 0.2 s")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n"], ids=["head", "error"])
def test_trickle_that_never_gets_anywhere(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    """Neither a head that comes byte by byte is waited for any longer, nor what an error says."""
    monkeypatch.setattr(web, "_TIMEOUT_SECONDS", 0.2)

    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while True:
            connection.sendall(b"H")
            threading.Event().wait(0.04)

    with LyingServer(trickle) as server:
        _fails(f"http://{server.target}/", "no answer within 0.2 s")


@pytest.mark.parametrize("status", [b"200 OK", b"500 Oops"])
def test_half_of_it(status: bytes) -> None:
    """Of what was announced all must come: half an exposition would be other counts."""

    def cut(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 9\r\n\r\na 1\n")

    with LyingServer(cut) as server:
        _fails(f"http://{server.target}/", "5 bytes of it did not come")


def test_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long for any exposition is not read to its end."""
    monkeypatch.setattr(web, "_MOST_BYTES", 1 << 20)
    with answering(lambda _: (200, bytes((1 << 20) + 1))) as url:
        _fails(url, "it is longer than 1 MiB")


def test_no_http() -> None:
    """Who speaks something else is told from who does not answer."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536).upper())

    with LyingServer(talk) as server, pytest.raises(Failure, match="no HTTP is spoken there"):
        get(f"http://{server.target}/")
