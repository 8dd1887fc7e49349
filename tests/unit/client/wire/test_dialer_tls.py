"""The way to a connection, over TLS."""

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority, simple_authority
from lying import Behaviour, LyingServer, close_early, echo, reset, stay_silent
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome, Phase
from stentor_client.verify.verifier import Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, DialOptions
from unit.client.wire.naming import resolve_to
from unit.client.wire.test_dialer import dial, failure
from unit.looping import SECONDS, eventually

NOT_TLS = "the peer does not speak TLS"
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority of the server's certificate."""
    return Authority(tmp_path)


@pytest.fixture
def clients(tmp_path: Path) -> Authority:
    """The authority of the clients' certificates."""
    return Authority(tmp_path, "clients")


def options(target: str, **changes: Any) -> DialOptions:
    """Return options that ask for TLS, with a time-out that is not reached."""
    return DialOptions(**{"target": target, "connect_timeout_seconds": SECONDS / 2, "tls": True, **changes})


def greet(connection: socket.socket) -> None:
    """Be a server of something else, which speaks first."""
    connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.recv(65536)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("host", "name"), [("any", "stentor.example"), ("any", "stentor.example."), ("localhost.", None)]
)
async def test_connects(
    monkeypatch: pytest.MonkeyPatch, authority: Authority, version: ssl.TLSVersion, host: str, name: str | None
) -> None:
    """It connects to a certificate of the given name, whose final dot is not sent, and times TLS as its own phase."""
    context = authority.serve(authority.issue("server", "stentor.example", "localhost"))
    context.minimum_version = context.maximum_version = version
    names: list[str | None] = []
    context.sni_callback = lambda _tls, name, _context: names.append(name)
    with LyingServer(echo, context) as server:
        resolve_to(monkeypatch, server.target)
        made, record = await dial(Dialer(options(f"{host}:1", tls_ca=authority.file, tls_server_name=name)))
    assert names == [(name or host).removesuffix(".")]
    assert made.transport.get_extra_info("ssl_object") is not None
    assert record.durations.keys() == {Phase.RESOLVE, Phase.CONNECT, Phase.TLS}
    assert record.durations[Phase.TLS] > 0


async def test_private_authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every Python accepts a simple private authority, as OpenSSL does by default."""
    create = ssl.create_default_context

    def create_as_python_3_13(**files: Any) -> ssl.SSLContext:
        context = create(**files)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create_as_python_3_13)
    authority, certificate = simple_authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with LyingServer(echo, context) as server:
        await dial(Dialer(options(server.target, tls_ca=authority)))


async def test_mutual(authority: Authority, clients: Authority) -> None:
    """A client with a certificate shows it; the key may be in a file of its own."""
    certificate = Path(clients.issue("client"))
    key = certificate.with_name("key.pem")
    key.write_text(certificate.read_text().partition("-----BEGIN CERTIFICATE")[0])
    with LyingServer(echo, authority.serve(authority.issue("server"), clients)) as server:
        for shown in ({"tls_cert": str(certificate)}, {"tls_cert": str(certificate), "tls_key": str(key)}):
            verdict = await _ask(options(server.target, tls_ca=authority.file, **shown))
            assert verdict.outcome is Outcome.OK


async def test_proxy_header_comes_before_tls(authority: Authority) -> None:
    """The PROXY header is not encrypted, and everything after it is."""
    context = authority.serve(authority.issue("server"))

    def behind_a_proxy(connection: socket.socket) -> None:
        assert connection.recv(28, socket.MSG_WAITALL).startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c")
        with context.wrap_socket(connection, server_side=True) as secured:
            echo(secured)

    with LyingServer(behind_a_proxy) as server:
        verdict = await _ask(options(server.target, tls_ca=authority.file, proxy_protocol="v2"))
        assert verdict.outcome is Outcome.OK


@pytest.mark.parametrize(
    ("expired", "changes", "detail"),
    [
        (False, {"tls_ca": "foreign"}, "unable to get local issuer certificate"),
        (False, {"tls_ca": None}, "unable to get local issuer certificate"),
        (False, {"tls_server_name": "other"}, "Hostname mismatch, certificate is not valid for 'other'."),
        (True, {}, "certificate has expired"),
    ],
    ids=["authority", "system's authorities", "name", "age"],
)
async def test_certificate_that_is_not_trusted(
    tmp_path: Path, authority: Authority, changes: dict[str, Any], detail: str, *, expired: bool
) -> None:
    """A certificate of a wrong authority, for a wrong name, or too old, is no agreement, and it is said which."""
    chosen = {"tls_ca": authority.file} | changes
    if chosen["tls_ca"] == "foreign":
        chosen["tls_ca"] = Authority(tmp_path, "foreign").file
    with LyingServer(echo, authority.serve(authority.issue("server", expired=expired))) as server:
        error = await failure(options(server.target, **chosen))
        assert (error.outcome, error.phase) == (Outcome.TLS, Phase.TLS)
        assert error.detail == f"{server.target}: the server's certificate is not trusted: {detail}"


@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        (greet, NOT_TLS),
        (echo, NOT_TLS),
        (close_early, "the peer closed the connection during the handshake"),
        (reset, "Connection reset by peer"),
    ],
)
async def test_peer_that_speaks_no_tls(behaviour: Behaviour, detail: str) -> None:
    """A peer that speaks something else, or hangs up, is no agreement on TLS, and it is said what it did."""
    unused: list[Outcome | None] = []
    with LyingServer(behaviour) as server:
        error = await failure(Dialer(options(server.target), lambda _age, lost_by: unused.append(lost_by)))
        assert (error.outcome, error.phase) == (Outcome.TLS, Phase.TLS)
        assert error.detail == f"{server.target}: {detail}"
    assert unused == [Outcome.TLS]


async def test_peer_that_is_silent_in_the_handshake() -> None:
    """A handshake that is not over in time is no connection in time, though one that the server has accepted."""
    unused: list[tuple[int, Outcome | None]] = []
    with LyingServer(stay_silent) as server:
        dialed = options(server.target, connect_timeout_seconds=0.5)
        error = await failure(Dialer(dialed, lambda *noted: unused.append(noted)))
        assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.TLS)
        assert error.detail == f"{server.target}: no connection within 0.5 s"
    ((age, lost_by),) = unused
    assert lost_by is Outcome.TIMEOUT
    assert 0 < age < SECONDS * NANOSECONDS


@pytest.mark.parametrize("version", VERSIONS)
async def test_certificate_that_the_server_refuses(
    authority: Authority, clients: Authority, version: ssl.TLSVersion
) -> None:
    """A server that refuses this side's certificate does so in the handshake, or with TLS 1.3 after it: `tls` too."""
    context = authority.serve(authority.issue("server"), clients)
    context.minimum_version = context.maximum_version = version
    with LyingServer(echo, context) as server:
        chosen = options(server.target, tls_ca=authority.file)
        if version is ssl.TLSVersion.TLSv1_2:
            error = await failure(chosen)
            assert (error.outcome, error.phase) == (Outcome.TLS, Phase.TLS)
        else:
            verdict = await _ask(chosen)
            assert (verdict.outcome, verdict.offset, verdict.phase) == (Outcome.TLS, 0, Phase.FIRST_BYTE)


async def _ask(chosen: DialOptions) -> Verdict:
    """Exchange one message with an echo, and return the verdict."""
    connection, _ = await Dialer(chosen).dial(lambda: Connection(Account()))
    await connection.send(b"hello", [(b"hello", 0, 5)])
    verdict = await connection.verdict()
    await connection.abandon(verdict.outcome)
    return verdict


def _answer_half(connection: socket.socket) -> None:
    connection.sendall(connection.recv(65536)[:2])


def _answer_half_and_end_tls(connection: socket.socket) -> None:
    _answer_half(connection)
    assert isinstance(connection, ssl.SSLSocket)
    with contextlib.suppress(OSError):
        connection.unwrap()


@pytest.mark.parametrize(
    ("behaviour", "outcome", "offset"),
    [
        (_answer_half_and_end_tls, Outcome.SHORT, 2),
        (_answer_half, Outcome.SHORT, 2),
        (close_early, Outcome.EOF, 0),
        (reset, Outcome.RESET, 0),
    ],
    ids=["close notify", "FIN", "FIN at once", "RST"],
)
async def test_peer_ends(authority: Authority, behaviour: Behaviour, outcome: Outcome, offset: int) -> None:
    """The end of the peer's side is noticed with a close_notify, and with a bare FIN, which uvloop reports late."""
    with LyingServer(behaviour, authority.serve(authority.issue("server"))) as server:
        verdict = await _ask(options(server.target, tls_ca=authority.file))
    assert (verdict.outcome, verdict.offset) == (outcome, offset)


def _answer_the_end(connection: socket.socket) -> None:
    assert isinstance(connection, ssl.SSLSocket)
    assert connection.recv(65536) == b""
    with contextlib.suppress(OSError):
        connection.unwrap()


def _ignore_the_end(_connection: socket.socket) -> None:
    threading.Event().wait(SECONDS)  # the close_notify goes unread


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("behaviour", [_answer_the_end, _ignore_the_end])
async def test_close_is_no_loss(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, behaviour: Behaviour, version: ssl.TLSVersion
) -> None:
    """The end that this side asked for is no loss, whether the peer ends TLS as well or is left soon."""
    monkeypatch.setattr("stentor_client.wire.dialer.TLS_CLOSE_SECONDS", 0.05)
    context = authority.serve(authority.issue("server"))
    context.minimum_version = context.maximum_version = version
    with LyingServer(behaviour, context) as server:
        chosen = options(server.target, tls_ca=authority.file)
        connection, _ = await Dialer(chosen).dial(lambda: Connection(Account()))
        await asyncio.wait_for(connection.close(), SECONDS / 4)
        assert connection.lost_by is None


async def test_cancelled() -> None:
    """If dialing is cancelled in the handshake, the connection is closed."""
    begun, ended = threading.Event(), threading.Event()

    def wait_for_the_end(connection: socket.socket) -> None:
        while connection.recv(65536):
            begun.set()
        ended.set()

    with LyingServer(wait_for_the_end) as server:
        dialing = asyncio.create_task(Dialer(options(server.target)).dial(lambda: Connection(Account())))
        await eventually(begun.is_set, "the handshake")
        dialing.cancel()
        await eventually(ended.is_set, "the connection to be closed")
