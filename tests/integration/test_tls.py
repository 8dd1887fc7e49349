"""TLS, as clients of all kinds meet it."""

import os
from collections.abc import Iterator

import pytest

from certificates import Authority
from processes import Server
from proxies import converse, run_peer


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the servers' certificate."""
    return Authority(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the clients' certificates."""
    return Authority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def shared(authority: Authority, clients: Authority) -> Iterator[Server]:
    """A server for clients with a certificate only."""
    with Server("--workers", "1", "--tls-cert", authority.issue("server"), "--tls-client-ca", clients.file) as server:
        yield server


@pytest.fixture
def server(shared: Server) -> Server:
    """The same, at the beginning of a test."""
    return shared.begin()


def test_old_versions_are_refused(server: Server) -> None:
    """TLS 1.1 is not spoken, and the client learns it."""
    old = ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    refused = run_peer("openssl", "s_client", "-connect", server.target, *old)
    assert b"alert protocol version" in refused.stderr
    server.closed("tls_error")


@pytest.mark.parametrize("certified", [True, False])
def test_openssl(server: Server, authority: Authority, clients: Authority, *, certified: bool) -> None:
    """`openssl s_client` verifies the server, is served with a certificate, and gets an alert without one."""
    client = clients.issue("client")
    options = ("-CAfile", authority.file, "-verify_return_error", "-quiet", "-no_ign_eof")
    shown = ("-cert", client, "-key", client) if certified else ()
    connect = ("s_client", "-connect", server.target)
    answer, errors = converse("openssl", *connect, *options, *shown, line=b"hello\n")
    if certified:
        assert answer == b"HELLO\n", errors
        assert server.closed("eof")[0]["received_bytes"] == 6
    else:
        assert answer == b""
        assert b"alert certificate required" in errors
        server.closed("tls_error")


def test_socat(server: Server, authority: Authority, clients: Authority) -> None:
    """socat sends all, says that it has ended, and gets the whole answer."""
    message = os.urandom(1 << 20)
    address = f"OPENSSL:{server.target},cafile={authority.file},cert={clients.issue('client')}"
    ended = run_peer("socat", "-t", "60", "-", address, stdin=message)
    assert (ended.returncode, ended.stdout) == (0, message.upper()), ended.stderr
    assert server.closed("eof")[0]["sent_bytes"] == len(message)
    server.quiet()
