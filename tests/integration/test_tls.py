"""TLS, as clients of all kinds meet it."""

import os
import ssl
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from certificates import Authority
from connections import exchanged
from processes import FREE, Server, run
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
def servers(authority: Authority, clients: Authority) -> Iterator[dict[str, Server]]:
    """A server for all, and one for clients with a certificate only."""
    served = ("--workers", "1", "--tls-cert", authority.issue("server"))
    with Server(*served) as open_to_all, Server(*served, "--tls-client-ca", clients.file) as mutual:
        yield {"open": open_to_all, "mutual": mutual}


@pytest.fixture
def server(servers: dict[str, Server]) -> Server:
    """The server for all, at the beginning of a test."""
    return servers["open"].begin()


@pytest.fixture
def mutual_server(servers: dict[str, Server]) -> Server:
    """The server for clients with a certificate, at the beginning of a test."""
    return servers["mutual"].begin()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_exchange(server: Server, authority: Authority, version: ssl.TLSVersion) -> None:
    """Every byte is answered in both versions, and what is counted and logged is the bytes, not what encrypts them."""
    context = authority.trust()
    context.minimum_version = context.maximum_version = version
    with server.secured(context) as connection:
        assert [exchanged(connection, data) for data in (os.urandom(30_000), b"a") * 20] == [True] * 40
    total = 20 * 30_001
    (closed,) = server.closed("eof")
    assert closed["tls"] == version.name.replace("_", ".")
    assert (closed["received_bytes"], closed["sent_bytes"]) == (total, total)
    values = server.quiet()
    assert values["stentor_server_received_bytes_total"] == values["stentor_server_sent_bytes_total"] == total


def test_old_versions_are_refused(server: Server) -> None:
    """TLS 1.1 is not spoken, and the client learns it."""
    old = ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    refused = run_peer("openssl", "s_client", "-connect", server.target, *old)
    assert b"alert protocol version" in refused.stderr
    server.closed("tls_error")


@pytest.mark.parametrize(
    ("shown", "alert"),
    [("nothing", "certificate required"), ("foreign", "unknown ca"), ("expired", "certificate expired")],
)
def test_client_without_a_valid_certificate(
    mutual_server: Server, authority: Authority, clients: Authority, shown: str, alert: str
) -> None:
    """A client without a certificate that counts gets an alert, is counted, and leaves no traceback (row 36)."""
    certificate = {
        "nothing": None,
        "foreign": authority.issue("foreign"),
        "expired": clients.issue("expired", expired=True),
    }[shown]
    # Since TLS 1.3 a client learns of it when it first reads.
    with (
        mutual_server.secured(authority.trust(certificate)) as connection,
        pytest.raises(ssl.SSLError, match=alert),
    ):
        exchanged(connection, b"let me in")
    (closed,) = mutual_server.closed("tls_error")
    assert (bool(closed["error"]), closed["received_bytes"]) == (True, 0)
    assert mutual_server.quiet()["stentor_server_received_bytes_total"] == 0
    assert mutual_server.find("worker.exception") == []
    with mutual_server.secured(authority.trust(clients.issue("valid"))) as connection:
        assert exchanged(connection, b"others are served")


@pytest.mark.parametrize("certified", [True, False])
def test_openssl(mutual_server: Server, authority: Authority, clients: Authority, *, certified: bool) -> None:
    """`openssl s_client` verifies the server, is served with a certificate, and gets an alert without one (row 36)."""
    client = clients.issue("client")
    options = ("-CAfile", authority.file, "-verify_return_error", "-quiet", "-no_ign_eof")
    shown = ("-cert", client, "-key", client) if certified else ()
    connect = ("s_client", "-connect", mutual_server.target)
    answer, errors = converse("openssl", *connect, *options, *shown, line=b"hello\n")
    if certified:
        assert answer == b"HELLO\n", errors
        assert mutual_server.closed("eof")[0]["received_bytes"] == 6
    else:
        assert answer == b""
        assert b"alert certificate required" in errors
        mutual_server.closed("tls_error")


def test_socat(mutual_server: Server, authority: Authority, clients: Authority) -> None:
    """socat sends all, says that it has ended, and gets the whole answer."""
    message = os.urandom(1 << 20)
    address = f"OPENSSL:{mutual_server.target},cafile={authority.file},cert={clients.issue('client')}"
    ended = run_peer("socat", "-t", "60", "-", address, stdin=message)
    assert (ended.returncode, ended.stdout) == (0, message.upper()), ended.stderr
    assert mutual_server.closed("eof")[0]["sent_bytes"] == len(message)
    mutual_server.quiet()


def test_unusable_files(tmp_path: Path, authority: Authority) -> None:
    """A file that is missing, garbage, or does not fit is one line that names it, and exit code 3 (row 27)."""
    good, other, missing = authority.issue("good"), authority.issue("other"), str(tmp_path / "missing.pem")
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(os.urandom(999))
    for files, named in (
        ([missing, good], "missing.pem"),
        ([str(garbage), good], "garbage.pem"),
        ([good, other], "other.pem"),
        ([good, good, str(garbage)], "garbage.pem"),
    ):
        options = zip(("--tls-cert", "--tls-key", "--tls-client-ca"), files, strict=False)
        ended = run("stentor-server", "serve", *FREE, *chain.from_iterable(options))
        message = ended.stderr.decode()
        assert (ended.returncode, message.count("\n"), named in message) == (3, 1, True), message
