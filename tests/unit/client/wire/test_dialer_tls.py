"""The way to a connection, over TLS."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from lying import Behaviour, LyingServer, close_early, echo, stay_silent
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.failure import USAGE, Failure
from stentor_client.account import Account
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.verify.verifier import Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, DialOptions, OnCut
from stentor_client.wire.proxy_header import proxy_header
from unit.client.wire.test_dialer import dial
from unit.looping import SECONDS, eventually

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


def connections_to(target: str) -> int:
    """Return how many descriptors of this process are connections to a target."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            each = socket.socket(fileno=int(fd))
            try:
                found += each.family == socket.AF_INET and "{}:{}".format(*each.getpeername()) == target
            finally:
                each.detach()
    return found


async def failure(chosen: DialOptions, on_cut: OnCut = lambda _outcome, _age: None) -> ExchangeError:
    """Return the error that dialing ends with; it may leave no connection open."""

    async def scenario() -> ExchangeError:
        with pytest.raises(ExchangeError) as raised:
            await dial(Dialer(chosen, on_cut))
        await eventually(lambda: not connections_to(chosen.target), "the connection to be closed")
        return raised.value

    return await scenario()


def hang_up(connection: socket.socket) -> None:
    """Hear the beginning of the handshake, and end."""
    connection.recv(65536)


def hang_up_with_a_reset(connection: socket.socket) -> None:
    """Hear the beginning of the handshake, and cut the connection."""
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def greet(connection: socket.socket) -> None:
    """Be a server of something else, which speaks first."""
    connection.sendall(b"220 mail.example ESMTP\r\n")
    connection.recv(65536)


@pytest.mark.parametrize("version", VERSIONS)
async def test_connects(authority: Authority, version: ssl.TLSVersion) -> None:
    """With an authority that it trusts and the right name there is a connection, and TLS is a phase of its own."""
    context = authority.serve(authority.issue("server"))
    context.minimum_version = context.maximum_version = version
    with LyingServer(echo, context) as server:
        made, record = await dial(Dialer(options(server.target, tls_ca=authority.file)))
    assert made.transport.get_extra_info("ssl_object") is not None
    assert record.durations.keys() == {Phase.RESOLVE, Phase.CONNECT, Phase.TLS}
    assert record.durations[Phase.TLS] > 0


async def test_name_of_the_certificate(authority: Authority) -> None:
    """The certificate may have another name than the target, if that is said."""
    with LyingServer(echo, authority.serve(authority.issue("server", "stentor.example"))) as server:
        await dial(Dialer(options(server.target, tls_ca=authority.file, tls_server_name="stentor.example")))


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
    """The header of the PROXY protocol is not encrypted, and everything after it is."""
    context = authority.serve(authority.issue("server"))
    heard: list[bytes] = []

    def behind_a_proxy(connection: socket.socket) -> None:
        heard.append(connection.recv(28, socket.MSG_WAITALL))
        with context.wrap_socket(connection, server_side=True) as secured:
            echo(secured)

    with LyingServer(behind_a_proxy) as server:
        chosen = options(server.target, tls_ca=authority.file, proxy_protocol="v2")
        verdict = await _ask(chosen)
        assert verdict.outcome is Outcome.OK
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_connection(other.getsockname()) as like:
        assert heard[0][:16] == proxy_header("v2", like)[:16]


@pytest.mark.parametrize(
    ("certificate", "changes", "detail"),
    [
        (("127.0.0.1", False), {"tls_ca": "foreign"}, "unable to get local issuer certificate"),
        (("127.0.0.1", False), {"tls_ca": None}, "unable to get local issuer certificate"),
        (("localhost", False), {}, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
        (
            ("127.0.0.1", False),
            {"tls_server_name": "other"},
            "Hostname mismatch, certificate is not valid for 'other'.",
        ),
        (("127.0.0.1", True), {}, "certificate has expired"),
    ],
    ids=["authority", "system's authorities", "address", "name", "age"],
)
async def test_certificate_that_is_not_trusted(
    tmp_path: Path,
    authority: Authority,
    certificate: tuple[str, bool],
    changes: dict[str, Any],
    detail: str,
) -> None:
    """A certificate of a wrong authority, for a wrong name, or too old, is no agreement, and it is said which."""
    name, expired = certificate
    chosen = {"tls_ca": authority.file} | changes
    if chosen["tls_ca"] == "foreign":
        chosen["tls_ca"] = Authority(tmp_path, "foreign").file
    with LyingServer(echo, authority.serve(authority.issue("server", name, expired=expired))) as server:
        error = await failure(options(server.target, **chosen))
        assert (error.outcome, error.phase) == (Outcome.TLS, Phase.TLS)
        assert error.detail == f"{server.target}: the server's certificate is not to be trusted: {detail}"


@pytest.mark.parametrize(
    ("behaviour", "detail"),
    [
        (greet, "wrong version number"),
        (echo, "unexpected message"),
        (hang_up, "the peer hung up in the handshake"),
        (hang_up_with_a_reset, "Connection reset by peer"),
    ],
)
async def test_peer_that_speaks_no_tls(behaviour: Behaviour, detail: str) -> None:
    """A peer that speaks something else, or hangs up, is no agreement on TLS, and it is said what it did."""
    cuts: list[Outcome] = []
    with LyingServer(behaviour) as server:
        error = await failure(options(server.target), lambda outcome, _age: cuts.append(outcome))
        assert (error.outcome, error.phase) == (Outcome.TLS, Phase.TLS)
        assert error.detail == f"{server.target}: {detail}"
    assert cuts == [Outcome.TLS]


async def test_peer_that_is_silent_in_the_handshake() -> None:
    """A handshake that is not over in time is no connection in time, though one that the server has accepted."""
    cuts: list[tuple[Outcome, int]] = []
    with LyingServer(stay_silent) as server:
        dialed = options(server.target, connect_timeout_seconds=0.1)
        error = await failure(dialed, lambda *cut: cuts.append(cut))
        assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.TLS)
        assert error.detail == f"{server.target}: no connection within 0.1 s"
    ((outcome, age),) = cuts
    assert outcome is Outcome.TIMEOUT
    assert 0 < age < 0.1 * NANOSECONDS * 20


@pytest.mark.parametrize("shown", ["nothing", "foreign", "expired"])
@pytest.mark.parametrize("version", VERSIONS)
async def test_certificate_that_the_server_refuses(
    tmp_path: Path, authority: Authority, clients: Authority, shown: str, version: ssl.TLSVersion
) -> None:
    """A server that refuses this side's certificate does so in the handshake, or with TLS 1.3 after it: `tls` too."""
    context = authority.serve(authority.issue("server"), clients)
    context.minimum_version = context.maximum_version = version
    issuer = Authority(tmp_path, "other") if shown == "foreign" else clients
    certificate = None if shown == "nothing" else issuer.issue("client", expired=shown == "expired")
    with LyingServer(echo, context) as server:
        chosen = options(server.target, tls_ca=authority.file, tls_cert=certificate)
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


async def _ended(authority: Authority, behaviour: Behaviour) -> Verdict:
    """Return the verdict on an exchange over TLS with a peer that behaves like this."""
    with LyingServer(behaviour, authority.serve(authority.issue("server"))) as server:
        return await _ask(options(server.target, tls_ca=authority.file))


async def test_peer_ends_with_a_close_notify(authority: Authority) -> None:
    """TLS that the peer ends in order, in the middle of a reply, makes that short."""

    def half(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536)[:2])
        assert isinstance(connection, ssl.SSLSocket)
        with contextlib.suppress(OSError):
            connection.unwrap()

    assert _brief(await _ended(authority, half)) == (Outcome.SHORT, 2)


async def test_peer_ends_without_a_close_notify(authority: Authority) -> None:
    """A bare FIN, which the event loop tells of in another way, is the end as well."""

    def half(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536)[:2])

    assert _brief(await _ended(authority, half)) == (Outcome.SHORT, 2)
    assert _brief(await _ended(authority, close_early)) == (Outcome.EOF, 0)


def _brief(verdict: Verdict) -> tuple[Outcome, int | None]:
    return verdict.outcome, verdict.offset


async def test_close_does_not_wait_for_the_peer(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not end TLS as well is left soon, and that is no loss."""
    monkeypatch.setattr("stentor_client.wire.dialer.TLS_CLOSE_SECONDS", 0.05)

    async def scenario(chosen: DialOptions) -> None:
        connection, _ = await Dialer(chosen).dial(lambda: Connection(Account()))
        await asyncio.wait_for(connection.close(), SECONDS / 4)
        assert connection.lost_by is None

    def stay(_connection: socket.socket) -> None:
        threading.Event().wait(SECONDS)  # the close_notify goes unread

    with LyingServer(stay, authority.serve(authority.issue("server"))) as server:
        await scenario(options(server.target, tls_ca=authority.file))


def test_files_that_cannot_be_used(tmp_path: Path, authority: Authority) -> None:
    """A file that is missing, or is not what it should be, is one line that names it, before anything is dialed."""
    good, other, garbage = authority.issue("good"), authority.issue("other"), tmp_path / "garbage"
    garbage.write_text("no certificate")
    missing = str(tmp_path / "missing")
    other_key = tmp_path / "other-key.pem"
    other_key.write_text(Path(other).read_text().partition("-----BEGIN CERTIFICATE")[0])
    for changes, message in (
        ({"tls_ca": missing}, f"cannot read {missing}: No such file or directory"),
        ({"tls_ca": str(garbage)}, f"no certificates in {garbage}: no certificate or crl found"),
        ({"tls_cert": missing}, f"cannot read {missing}: No such file or directory"),
        ({"tls_cert": good, "tls_key": missing}, f"cannot read {missing}: No such file or directory"),
        ({"tls_cert": good, "tls_key": str(tmp_path)}, f"cannot read {tmp_path}: Is a directory"),
        (
            {"tls_cert": good, "tls_key": str(other_key)},
            f"cannot use the certificate {good} with the key {other_key}: key values mismatch",
        ),
        (
            {"tls_cert": str(garbage)},
            f"cannot use the certificate {garbage} with the key {garbage}: one of them is no PEM, or needs a password",
        ),
        ({"tls_server_name": ".example"}, "no certificate can have the name '.example'"),
        ({"tls_server_name": "a" * 70}, f"no certificate can have the name '{'a' * 70}'"),
    ):
        with pytest.raises(Failure) as raised:
            Dialer(options("host:1", **changes))
        assert (raised.value.code, raised.value.message) == (USAGE, message)


def test_key_with_a_password(tmp_path: Path, authority: Authority) -> None:
    """A key that needs a password is refused, and nobody is asked for it."""
    from unit.server.authority import _locked  # noqa: PLC0415 - its other half is not for here

    certificate = Path(authority.issue("locked"))
    text = certificate.read_text()
    key = tmp_path / "locked-key.pem"
    key.write_bytes(_locked(text.partition("-----BEGIN CERTIFICATE")[0].encode()))
    with pytest.raises(Failure, match=r"^cannot use the certificate .* needs a password$"):
        Dialer(options("host:1", tls_cert=str(certificate), tls_key=str(key)))


def test_nothing_is_read_without_tls() -> None:
    """Without TLS no file is looked at."""
    Dialer(options("host:1", tls=False, tls_ca="/no/such/file"))


async def test_cancelled() -> None:
    """Who gives up dialing in the handshake leaves no connection open."""

    async def scenario(chosen: DialOptions) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Dialer(chosen).dial(lambda: Connection(Account())), 0.05)
        await eventually(lambda: not connections_to(chosen.target), "the connection to be closed")

    with LyingServer(stay_silent) as server:
        await scenario(options(server.target))
