"""TLS, as clients of all kinds meet it."""

import os
import socket
import ssl
import struct
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from certificates import Authority
from peers import converse, run_peer
from processes import ENVIRONMENT, Server, read_all, run

# What a client of TLS 1.2 begins with, cut in the middle.
HALF_A_HELLO = b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the servers' certificate."""
    return Authority(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the clients' certificates."""
    return Authority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def secure_server(authority: Authority) -> Iterator[Server]:
    """A server that speaks TLS with everybody."""
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server:
        yield server


@pytest.fixture
def server(secure_server: Server) -> Server:
    """The same, at the beginning of a test."""
    return secure_server.begin()


@pytest.fixture(scope="module")
def choosy_server(authority: Authority, clients: Authority) -> Iterator[Server]:
    """A server that speaks TLS with clients that have a certificate."""
    options = ("--tls-cert", authority.issue("mutual"), "--tls-client-ca", clients.file)
    with Server("--workers", "1", *options) as server:
        yield server


@pytest.fixture
def mutual_server(choosy_server: Server) -> Server:
    """The same, at the beginning of a test."""
    return choosy_server.begin()


def secured(server: Server, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection after its handshake."""
    return context.wrap_socket(server.connect(), server_hostname="127.0.0.1")


def exchanged(connection: socket.socket, message: bytes) -> bool:
    """Send, read as much, and return whether it is the right answer."""
    connection.sendall(message)
    answer = b""
    while len(answer) < len(message) and (part := connection.recv(1 << 16)):
        answer += part
    return answer == message.upper()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_exchange(server: Server, authority: Authority, version: ssl.TLSVersion) -> None:
    """Every byte is answered in both versions, and what is counted and logged is the bytes, not what encrypts them."""
    context = authority.trust()
    context.minimum_version = context.maximum_version = version
    message = os.urandom(30_000)
    with secured(server, context) as connection:
        assert [exchanged(connection, message) for _ in range(20)] == [True] * 20
        assert [exchanged(connection, b"a") for _ in range(20)] == [True] * 20
    total = 20 * 30_001
    (closed,) = server.closed("eof")
    assert closed["tls"] == version.name.replace("_", ".")
    assert (closed["received_bytes"], closed["sent_bytes"]) == (total, total)
    values = server.quiet()
    assert values["stentor_server_received_bytes_total"] == values["stentor_server_sent_bytes_total"] == total


def test_old_versions_are_refused(server: Server) -> None:
    """TLS 1.1 is not spoken, and the client is told."""
    old = ("-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0")
    refused = run_peer("openssl", "s_client", "-connect", server.target, *old)
    assert b"alert protocol version" in refused.stderr
    (closed,) = server.closed("tls_error")
    assert closed["error"] == "unsupported protocol"


def test_mutual(mutual_server: Server, authority: Authority, clients: Authority) -> None:
    """A client with a certificate of the clients' authority is served."""
    with secured(mutual_server, authority.trust(clients.issue("client"))) as connection:
        assert exchanged(connection, b"who I am")
    mutual_server.closed("eof")


@pytest.mark.parametrize(
    ("shown", "alert", "error"),
    [
        ("nothing", "certificate required", "peer did not return a certificate"),
        ("another authority's", "unknown ca", "certificate verify failed"),
        ("an expired one", "certificate expired", "certificate verify failed"),
    ],
)
def test_client_without_a_valid_certificate(
    mutual_server: Server, authority: Authority, clients: Authority, shown: str, alert: str, error: str
) -> None:
    """Who has no certificate, or one that does not count, is told so, counted, and leaves no traceback (row 36)."""
    certificate = {
        "nothing": None,
        "another authority's": authority.issue("foreign"),
        "an expired one": clients.issue("expired", expired=True),
    }[shown]
    # Since TLS 1.3 a client learns of it when it first reads.
    with (
        secured(mutual_server, authority.trust(certificate)) as connection,
        pytest.raises(ssl.SSLError, match=alert),
    ):
        exchanged(connection, b"let me in")
    (closed,) = mutual_server.closed("tls_error")
    assert closed["error"] == error
    assert closed["received_bytes"] == 0
    assert mutual_server.quiet()["stentor_server_received_bytes_total"] == 0
    assert mutual_server.find("worker.exception") == []
    with secured(mutual_server, authority.trust(clients.issue("valid"))) as connection:
        assert exchanged(connection, b"others are served")


@pytest.mark.parametrize("wrong", ["authority", "name", "age"])
def test_client_that_does_not_trust_the_server(tmp_path: Path, authority: Authority, wrong: str) -> None:
    """A client that refuses the server's certificate says why, and the server passes it on (row 36)."""
    identity = "localhost" if wrong == "name" else "127.0.0.1"
    trusted = Authority(tmp_path, "another") if wrong == "authority" else authority
    options = ("--workers", "1", "--tls-cert", authority.issue("wrong", identity, expired=wrong == "age"))
    with Server(*options) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            secured(server, trusted.trust())
        (closed,) = server.closed("tls_error")
        told = {"authority": "unknown ca", "name": "bad certificate", "age": "certificate expired"}[wrong]
        assert told in closed["error"]
        server.quiet()


def test_openssl(server: Server, authority: Authority) -> None:
    """`openssl s_client` verifies the server and converses with it."""
    options = ("-CAfile", authority.file, "-verify_return_error", "-quiet", "-no_ign_eof")
    answers, errors = converse(
        "openssl", "s_client", "-connect", server.target, *options, lines=[b"hello\n", b"again\n"]
    )
    assert answers == [b"HELLO\n", b"AGAIN\n"], errors
    assert server.closed("eof")[0]["received_bytes"] == 12


@pytest.mark.parametrize("certified", [True, False])
def test_openssl_mutual(mutual_server: Server, authority: Authority, clients: Authority, *, certified: bool) -> None:
    """`openssl s_client` is served with a certificate, and told without one (row 36)."""
    options = ["-CAfile", authority.file, "-quiet", "-no_ign_eof"]
    if certified:
        client = clients.issue("client")
        options += ["-cert", client, "-key", client]
    answers, errors = converse("openssl", "s_client", "-connect", mutual_server.target, *options, lines=[b"hello\n"])
    if certified:
        assert answers == [b"HELLO\n"], errors
        mutual_server.closed("eof")
    else:
        assert answers == [b""]
        assert b"alert certificate required" in errors
        mutual_server.closed("tls_error")


def test_socat(mutual_server: Server, authority: Authority, clients: Authority) -> None:
    """socat sends all, says that it has ended, and gets the whole answer."""
    message = os.urandom(1 << 20)
    address = f"OPENSSL:{mutual_server.target},cafile={authority.file},cert={clients.issue('client')}"
    talked = run_peer("socat", "-t", "20", "-", address, stdin=message)
    assert (talked.returncode, talked.stderr) == (0, b"")
    assert talked.stdout == message.upper()
    assert mutual_server.closed("eof")[0]["sent_bytes"] == len(message)
    mutual_server.quiet()


@pytest.mark.parametrize(
    ("data", "error"),
    [(b"hello, this is plain text\n", "wrong version number"), (b"GET / HTTP/1.1\r\n\r\n", "http request")],
)
def test_plain_text(server: Server, authority: Authority, data: bytes, error: str) -> None:
    """Plain text on the TLS port ends its own connection and no other, and is never answered in upper case (row 36)."""
    with secured(server, authority.trust()) as other:
        with server.connect() as plain:
            plain.sendall(data)
            assert data.upper() not in read_all(plain)
        (closed,) = server.closed("tls_error")
        assert closed["error"] == error
        assert "tls" not in closed
        assert exchanged(other, b"still here")
    assert server.quiet()["stentor_server_received_bytes_total"] == len("still here")
    assert server.find("worker.exception") == []


def test_half_a_handshake(server: Server) -> None:
    """Who leaves in the middle of the handshake is a TLS error; who leaves before it, a health check, is not."""
    with server.connect() as connection:
        connection.sendall(HALF_A_HELLO)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b""
    server.closed("tls_error")
    server.connect().close()
    server.closed("eof")
    server.quiet()


def test_reset(server: Server, authority: Authority) -> None:
    """A reset in mid-stream is one under TLS as well (row 13)."""
    connection = secured(server, authority.trust())
    assert exchanged(connection, b"so far so good")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    server.closed("reset")
    server.quiet()


def test_silence_before_the_first_byte(authority: Authority) -> None:
    """Neither a handshake nor a PROXY header may take longer than ten seconds (rows 35, 36)."""
    proxied = ("--proxy-protocol", "v1", "--proxy-from", "127.0.0.1")
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n"
    with Server("--workers", "1", "--tls-cert", authority.issue("server"), *proxied) as server:
        said = [b"", header[:-1], header, header + HALF_A_HELLO]
        connections = [server.connect() for _ in said]
        for connection, data in zip(connections, said, strict=True):
            connection.sendall(data)
        assert [read_all(connection) for connection in connections] == [b""] * 4
        for connection in connections:
            connection.close()
        closed = [(each["peer"], each["error"]) for each in server.closed("tls_error", 2)]
        assert closed == [("192.0.2.1:5", "the handshake took too long")] * 2
        rejected = server.rejected("proxy_protocol", 2)
        assert {each["error"] for each in rejected} == {"no complete PROXY header in time"}
        server.quiet()


def test_files_that_are_none(tmp_path: Path, authority: Authority) -> None:
    """An empty name switches nothing off, and a pipe is not waited on: either is one line, by flag and by variable."""
    os.mkfifo(tmp_path / "fifo")
    names = {"--tls-cert": authority.issue("good"), "--tls-client-ca": authority.file, "--unix": str(tmp_path / "unix")}
    serve = ["stentor-server", "serve", "--port", "0", "--admin-port", "0"]
    for flag in (*names, "--tls-key", "--admin-host", "--host"):
        for value in ("", str(tmp_path / "fifo")) if "tls" in flag else ("",):
            others = [word for name in names if name != flag for word in (name, names[name])]
            variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
            by_flag = run(*serve, *others, flag, value)
            by_variable = run(*serve, *others, env={**ENVIRONMENT, variable: value}) if "host" not in flag else by_flag
            for ended in (by_flag, by_variable):
                assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1), ended
                assert f"'{flag}'" in ended.stderr.decode()


def test_unusable_files(tmp_path: Path, authority: Authority) -> None:
    """A file that is missing, garbage, or does not fit is one line that names it, and exit code 3 (row 27)."""
    good, other, missing = authority.issue("good"), authority.issue("other"), str(tmp_path / "missing.pem")
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(os.urandom(999))
    cases = [
        ([missing, good], "missing.pem: No such file or directory"),
        ([good, str(tmp_path)], "Is a directory"),
        ([str(garbage), good], "incomplete, or not PEM"),
        ([good, other], "key values mismatch"),
        ([good, good, str(garbage)], "no certificates in"),
    ]
    for files, words in cases:
        options = zip(("--tls-cert", "--tls-key", "--tls-client-ca"), files, strict=False)
        ended = run("stentor-server", "serve", "--port", "0", "--admin-port", "0", *chain.from_iterable(options))
        message = ended.stderr.decode()
        assert (ended.returncode, message.count("\n")) == (3, 1), message
        assert words in message
