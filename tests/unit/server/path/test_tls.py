"""TLS, from the first byte of the handshake to a client that does not read."""

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificates import Authority
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.metrics import CloseReason
from stentor_server.path import connection as connection_module
from stentor_server.path.poller import READABLE
from stentor_server.path.tls import tls_context
from unit.looping import Events
from unit.server.serving import NewServing, RunOnLoop, numbered, options

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
NOT_TLS = "the peer does not speak TLS"


@pytest.mark.parametrize(("version", "name"), [(VERSIONS[0], "TLSv1.2"), (VERSIONS[1], "TLSv1.3")])
@pytest.mark.parametrize("size", [1, 3_000_000])
async def test_exchange(
    serving_tls: NewServing, authority: Authority, events: Events, version: ssl.TLSVersion, name: str, size: int
) -> None:
    """A message of any size is answered in upper case; its bytes alone are counted; the log has the version."""
    message = (bytes(range(256)) * (size // 256 + 1))[:size]
    async with serving_tls() as server:
        client = await server.connect_tls(authority.trust(version=version))
        assert message.upper() == await client.exchange(message)
        assert (size, size, 0, 0) == (server.received, server.sent, server.unsent, server.waiting)
        assert server.at_rest()
        await client.send_close_notify()
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end")
        (closed,) = events.find("connection.closed", tls=name, received_bytes=size, sent_bytes=size)
        assert not {"error", "proxy"} & set(closed)


def test_any_segmentation(run_on_loop: RunOnLoop, serving_tls: NewServing, authority: Authority) -> None:
    """However handshake and records are cut, the answer is the upper case of the payload."""

    async def scenario(messages: list[bytes], cut: int, version: ssl.TLSVersion) -> None:
        async with serving_tls() as server:
            client = server.connect_tls_queued(authority.trust(version=version))
            await client.handshake(cut)
            for message in messages:
                await client.send(message, cut)
            await client.send_close_notify()
            assert b"".join(messages).upper() == await client.receive_all()
            assert client.got_close_notify

    @settings(max_examples=20)
    @given(st.lists(st.binary(min_size=1, max_size=3000), max_size=4), st.integers(5, 2000), st.sampled_from(VERSIONS))
    def law(messages: list[bytes], cut: int, version: ssl.TLSVersion) -> None:
        run_on_loop(scenario(messages, cut, version))

    law()


@pytest.mark.parametrize(
    ("certificate", "version", "error"),
    [
        ("", VERSIONS[0], "peer did not return a certificate"),
        ("", VERSIONS[1], "peer did not return a certificate"),
        ("foreign", VERSIONS[1], "the certificate is not trusted: unable to get local issuer certificate"),
        ("expired", VERSIONS[1], "the certificate is not trusted: certificate has expired"),
    ],
)
async def test_client_certificate(
    serving_tls: NewServing,
    authority: Authority,
    tmp_path: Path,
    events: Events,
    certificate: str,
    version: ssl.TLSVersion,
    error: str,
) -> None:
    """A client without a good certificate gets an alert and no answer; the log says why; others are served."""
    async with serving_tls(tls_client_ca=authority.file) as server:
        issuer = Authority(tmp_path) if certificate == "foreign" else authority
        shown = issuer.issue(certificate, expired=certificate == "expired") if certificate else None
        client = server.connect_tls_queued(authority.trust(shown, version))
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):  # noqa: PT012
            await client.handshake()
            await client.receive(1)  # in TLS 1.3 the client is done before the server has judged
        await server.until(lambda: server.closed(CloseReason.TLS_ERROR) == 1, "the error")
        (closed,) = events.find("connection.closed", reason="tls_error", received_bytes=0)
        assert closed["error"] == error
        assert "tls" not in closed
        other = await server.connect_tls(authority.trust(authority.issue("good"), version))
        assert await other.exchange(b"known") == b"KNOWN"


@pytest.mark.parametrize(
    ("sent", "reason", "error"),
    [
        (0, CloseReason.EOF, ""),  # as port checks do
        (100, CloseReason.TLS_ERROR, "the client closed the connection during the handshake"),
        (b"GET / HTTP/1.1\r\n\r\n", CloseReason.TLS_ERROR, NOT_TLS),
    ],
)
async def test_end_during_the_handshake(
    serving_tls: NewServing, authority: Authority, events: Events, sent: int | bytes, reason: CloseReason, error: str
) -> None:
    """A client that ends during the handshake, or sends something else, is a TLS error; a silent one is not."""
    async with serving_tls() as server:
        client = server.connect_tls_queued(authority.trust())
        if isinstance(sent, bytes):
            client.connection.send(sent)
        else:
            await client.start_handshake(sent)
            client.shut_down_writing()
        while await client.receive_some():
            pass  # an alert
        assert (server.closed(reason), server.received) == (1, 0)
        (closed,) = events.find("connection.closed")
        assert (closed.get("error", ""), closed.get("tls")) == (error, None)


async def test_handshake(serving_tls: NewServing, authority: Authority) -> None:
    """A handshake keeps the connection busy once it has started; every part of it, and of a record, is activity."""
    async with serving_tls() as server:
        client = server.connect_tls_queued(authority.trust())
        await server.until(lambda: server.active == 1, "the connection to be accepted")
        connection = server.connection(client)
        assert (connection.handshaking, connection.busy) == (True, False)
        connection.active_at = 0.0
        await client.start_handshake()
        await client.read_socket()
        assert (connection.handshaking, connection.busy) == (True, True)
        assert connection.active_at
        await client.handshake()
        await server.until(lambda: not connection.handshaking, "the end of the handshake")
        assert not connection.busy
        connection.active_at = 0.0
        record = client.encoded(b"a part")
        client.connection.send(record[:10])
        await server.until(lambda: connection.active_at, "part of a record to be read")
        assert server.received == 0
        client.connection.send(record[10:])
        assert await client.receive(6) == b"A PART"


async def test_close_notify_of_a_slow_reader(serving_tls: NewServing, authority: Authority) -> None:
    """A client that sends close_notify and keeps its socket open gets all its answers, then the server's."""
    async with serving_tls(send_buffer=1) as server:
        client = await server.connect_tls(authority.trust(), receive_buffer=1)
        payload = next(numbered("at once", 25_000))
        client.connection.send(client.encoded(payload) + client.close_notify())
        connection = server.connection(client)
        await server.until(lambda: connection.peer_closed_at, "its close_notify to be read")
        assert connection.pending
        await server.until(server.at_rest, "the worker to rest")
        assert payload.upper() == await client.receive_all()
        assert client.got_close_notify
        assert (server.closed(CloseReason.EOF), server.sent) == (1, len(payload))


async def test_full_socket(serving_tls: NewServing, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel does not accept is pending; the overhead of TLS counts as sent before any byte."""
    accepted = [0, 10, 15]  # of a record of 31 bytes

    def accept_little(fd: int, data: memoryview) -> int:
        if not (nbytes := accepted.pop(0)):
            raise BlockingIOError
        return os.write(fd, data[:nbytes])

    async with serving_tls() as server:
        client = await server.connect_tls(authority.trust())
        await client.exchange(b"hello")
        connection = server.connection(client)
        with monkeypatch.context() as patch:
            patch.setattr(connection_module, "write", accept_little)
            client.connection.send(client.encoded(b"all of it"))
            for waiting in (9, 9, 6):
                connection.ready(READABLE)
                assert (server.received, server.sent, server.waiting) == (14, 14 - waiting, waiting)
        assert await client.receive(9) == b"ALL OF IT"
        assert (server.sent, server.waiting) == (14, 0)
        assert await client.exchange(b"goes on") == b"GOES ON"


def test_context(authority: Authority, tls: dict[str, Any], tmp_path: Path) -> None:
    """The context reads the files each time, so a reload picks up new ones; clients need a certificate if asked to."""
    assert tls_context(options()) is None
    context, mutual = tls_context(options(**tls)), tls_context(options(**tls, tls_client_ca=authority.file))
    assert context is not None
    assert mutual is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, mutual.verify_mode) == (ssl.CERT_NONE, ssl.CERT_REQUIRED)
    assert not mutual.verify_flags & ssl.VERIFY_X509_STRICT
    with pytest.raises(Failure, match="cannot read") as failure:
        tls_context(options(**tls, tls_client_ca=str(tmp_path / "gone.pem")))
    assert failure.value.code == COULD_NOT_START
