"""The server behind real proxies."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import Authority
from connections import answer_to
from processes import Server, run
from proxies import HAProxy, Nginx, Proxy
from waiting import until

CALLER = "127.0.0.9"  # an address that cannot be the proxy's
TRUSTING = ("--workers", "1", "--proxy-protocol", "any", "--proxy-from", "127.0.0.1")


@pytest.fixture(scope="module")
def trusting_server() -> Iterator[Server]:
    """A server that accepts PROXY headers of both versions from loopback."""
    with Server(*TRUSTING) as server:
        yield server


@pytest.fixture
def behind(trusting_server: Server) -> Server:
    """The same, at the beginning of a test."""
    return trusting_server.begin()


def ask(proxy: Proxy, data: bytes) -> tuple[bytes, str]:
    """Send through the proxy, end our side, and return all that comes back, and our address."""
    with proxy.connect(CALLER) as connection:
        name = "{}:{}".format(*connection.getsockname())
        return answer_to(connection, data), name


@pytest.mark.parametrize("kind", [HAProxy, Nginx])
def test_without_header(tmp_path: Path, server: Server, kind: type[HAProxy | Nginx]) -> None:
    """Through a plain proxy a large stream comes back exact, and a half-close passes in both directions."""
    data = os.urandom(16 << 20)
    with kind(tmp_path, server.target) as proxy:
        sent = run("stentor-client", "send", "--target", proxy.target, stdin=data)
        assert (sent.returncode, sent.stderr) == (0, b"")
        assert sent.stdout == data.upper()
        assert ask(proxy, b"half-close")[0] == b"HALF-CLOSE"
    server.closed("eof", 2)
    assert server.quiet()["stentor_server_received_bytes_total"] == len(data) + len(b"half-close")


@pytest.mark.parametrize(
    ("kind", "option", "encrypted"),
    [
        (HAProxy, "send-proxy", False),
        (HAProxy, "send-proxy-v2", False),
        (HAProxy, "send-proxy-v2", True),
        (Nginx, "proxy_protocol on;", False),
    ],
)
def test_header(
    tmp_path: Path, authority: Authority, kind: type[HAProxy | Nginx], option: str, *, encrypted: bool
) -> None:
    """The proxy passes on the caller's address, before TLS if it encrypts; the log has it beside its own."""
    data = os.urandom(1 << 20)
    tls = ("--tls-cert", authority.issue("server")) if encrypted else ()
    option += f" ssl verify required ca-file {authority.file}" * encrypted
    with Server(*TRUSTING, *tls) as server, kind(tmp_path, server.target, option) as proxy:
        answer, caller = ask(proxy, data)
        assert answer == data.upper()
        closed = server.event("connection.closed", peer=caller)
        assert re.fullmatch(r"127\.0\.0\.1:\d+", closed["proxy"])
        assert (closed["received_bytes"], closed["reason"], "tls" in closed) == (len(data), "eof", encrypted)
        assert server.quiet()['stentor_server_connections_closed_total{reason="eof"}'] == 1


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_health_checks(tmp_path: Path, option: str) -> None:
    """HAProxy's own checks do no harm: no warning, balanced accounts, and callers are served."""
    with Server(*TRUSTING) as server:
        with HAProxy(tmp_path, server.target, f"{option} check inter 50ms fall 1 rise 1") as proxy:
            until(lambda: len(server.find("connection.closed", level="debug")) > 9, "checks")
            answer, caller = ask(proxy, b"still served")
            assert answer == b"STILL SERVED"
            assert server.event("connection.closed", peer=caller)["reason"] == "eof"
        server.quiet()
        assert server.find("worker.exception") == server.find("connection.rejected") == []
        checks = [each for each in server.find("connection.closed") if each["peer"] != caller]
    assert {(each["received_bytes"], each.get("proxy", each["peer"]) == each["peer"]) for each in checks} == {(0, True)}
