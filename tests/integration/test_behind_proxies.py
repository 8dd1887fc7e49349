"""The server behind real proxies."""

import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import Authority
from processes import Server, read_all, run, send_and_end
from proxies import HAProxy, Nginx, Proxy
from waiting import until

CALLER = "127.0.0.9"  # an address that cannot be the proxy's
TRUSTING = ("--workers", "1", "--proxy-protocol", "any", "--proxy-from", "127.0.0.1")


@pytest.fixture(scope="module")
def trusting_server() -> Iterator[Server]:
    """A server that takes PROXY headers of both versions from loopback."""
    with Server(*TRUSTING) as server:
        yield server


@pytest.fixture
def behind(trusting_server: Server) -> Server:
    """The same, at the beginning of a test."""
    return trusting_server.begin()


def ask(proxy: Proxy, data: bytes) -> tuple[bytes, str]:
    """Send through the proxy, end our side, and return all that comes back, and who we are."""
    with proxy.connect(CALLER) as connection:
        name = "{}:{}".format(*connection.getsockname())
        writer = threading.Thread(target=send_and_end, args=(connection, data))
        writer.start()
        answer = read_all(connection)
        writer.join()
    return answer, name


def assert_named(server: Server, caller: str, data: bytes) -> None:
    """Assert that the log names the caller, and the proxy beside it."""
    closed = server.event("connection.closed", peer=caller)
    assert re.fullmatch(r"127\.0\.0\.1:\d+", closed["proxy"])
    assert (closed["received_bytes"], closed["reason"]) == (len(data), "eof")
    assert server.quiet()['stentor_server_connections_closed_total{reason="eof"}'] == 1


@pytest.mark.parametrize("kind", [HAProxy, Nginx])
def test_without_header(tmp_path: Path, server: Server, kind: type[HAProxy | Nginx]) -> None:
    """Through a plain proxy a large stream comes back exact, and a half-close passes in both directions (row 10)."""
    data = os.urandom(16 << 20)
    with kind(tmp_path, server.target) as proxy:
        sent = run("stentor-client", "send", "--target", proxy.target, stdin=data)
        assert (sent.returncode, sent.stderr) == (0, b"")
        assert sent.stdout == data.upper()
        assert ask(proxy, b"half-close")[0] == b"HALF-CLOSE"
    server.closed("eof", 2)
    assert server.quiet()["stentor_server_received_bytes_total"] == len(data) + len(b"half-close")


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_haproxy(tmp_path: Path, behind: Server, option: str) -> None:
    """HAProxy passes on who calls (row 35)."""
    data = os.urandom(1 << 20)
    with HAProxy(tmp_path, behind.target, option) as proxy:
        answer, caller = ask(proxy, data)
        assert answer == data.upper()
        assert_named(behind, caller, data)


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_haproxy_that_encrypts(tmp_path: Path, authority: Authority, option: str) -> None:
    """HAProxy verifies the server and passes on who calls, before all that is encrypted (row 35)."""
    data = os.urandom(1 << 20)
    secured = f"{option} ssl verify required ca-file {authority.file}"
    with (
        Server(*TRUSTING, "--tls-cert", authority.issue("server")) as server,
        HAProxy(tmp_path, server.target, secured) as proxy,
    ):
        answer, caller = ask(proxy, data)
        assert answer == data.upper()
        assert_named(server, caller, data)
        assert server.find("connection.closed")[0]["tls"].startswith("TLSv1.")


def test_nginx(tmp_path: Path, behind: Server) -> None:
    """nginx passes on who calls (row 35)."""
    data = os.urandom(1 << 20)
    with Nginx(tmp_path, behind.target, "proxy_protocol on;") as proxy:
        answer, caller = ask(proxy, data)
        assert answer == data.upper()
        assert_named(behind, caller, data)


def test_proxy_that_is_not_trusted(tmp_path: Path) -> None:
    """A proxy from elsewhere is refused, whatever its header says (row 35)."""
    options = ("--workers", "1", "--proxy-protocol", "v2", "--proxy-from", "192.0.2.0/24")
    with Server(*options) as server, HAProxy(tmp_path, server.target, "send-proxy-v2") as proxy:
        with proxy.connect() as connection:
            assert _end_of(connection) == b""
        assert server.event("connection.rejected")["error"] == "not from a trusted proxy"
        assert server.metrics()["stentor_server_connections_accepted_total"] == 0


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_health_checks(tmp_path: Path, behind: Server, option: str) -> None:
    """HAProxy's own checks do no harm: no error in the log, every account balanced, and callers are served (row 35)."""
    with HAProxy(tmp_path, behind.target, f"{option} check inter 50ms fall 1 rise 1") as proxy:
        until(lambda: len(behind.find("connection.closed")) + len(behind.find("connection.rejected")) > 20, "checks")
        answer, caller = ask(proxy, b"still served")
        assert answer == b"STILL SERVED"
        assert behind.event("connection.closed", peer=caller)["reason"] == "eof"
    behind.quiet()
    assert behind.find("worker.exception") == []
    checks = [each for each in behind.find("connection.closed") if each["peer"] != caller]
    assert {(each["received_bytes"], each["peer"] == each["proxy"]) for each in checks} <= {(0, True)}


def test_limit_of_each_address_is_the_callers(tmp_path: Path) -> None:
    """The limit for one address counts who calls, not the proxy through which all come (row 17)."""
    with (
        Server(*TRUSTING, "--max-connections-per-address", "1") as server,
        HAProxy(tmp_path, server.target, "send-proxy-v2") as proxy,
    ):
        with proxy.connect("127.0.0.2") as first, proxy.connect("127.0.0.3") as second:
            for connection in (first, second):
                connection.sendall(b"x")
                assert connection.recv(1) == b"X"
            with proxy.connect("127.0.0.2") as refused:
                assert _end_of(refused) == b""
            (rejected,) = server.rejected("per_address")
            assert rejected["peer"].startswith("127.0.0.2:")
        server.quiet()


def _end_of(connection: socket.socket) -> bytes:
    try:
        connection.sendall(b"x")
        return read_all(connection)
    except (ConnectionResetError, BrokenPipeError):
        return b""
