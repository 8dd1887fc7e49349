"""How a connection over TLS ends."""

import asyncio
import ssl

import pytest

from certificates import Authority
from stentor_server.guard.timeouts import HANDSHAKE_SECONDS
from stentor_server.metrics import CloseReason
from stentor_server.path import tls as tls_module
from unit.looping import Events
from unit.server.serving import NewServing

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


async def test_garbage(serving_tls: NewServing, authority: Authority, events: Events) -> None:
    """A record that was changed on its way is answered by an alert, and what came before it is still answered."""
    async with serving_tls() as server:
        client = await server.connect_tls(authority.trust())
        good, spoiled = client.encoded(b"good"), bytearray(client.encoded(b"spoiled"))
        spoiled[-1] ^= 1
        client.connection.send(good + spoiled)
        assert await client.receive(4) == b"GOOD"
        with pytest.raises(ssl.SSLError, match=r"(?i)alert bad record mac"):
            await client.receive_all()
        (closed,) = events.find("connection.closed", reason="tls_error", tls="TLSv1.3", received_bytes=4, sent_bytes=4)
        assert closed["error"] == "a TLS record arrived damaged"


@pytest.mark.parametrize("end", ["fin", "close_notify", "garbage"])
async def test_end_after_finish(serving_tls: NewServing, authority: Authority, events: Events, end: str) -> None:
    """However the client ends after the server has finished, the reason stays the server's."""
    async with serving_tls() as server:
        client = await server.connect_tls(authority.trust())
        connection = server.connection(client)
        connection.finish(CloseReason.DRAIN)
        connection.closing_since = float("inf")
        assert await client.receive_all() == b""
        if end == "fin":
            client.shut_down_writing()
        else:
            client.connection.send(client.close_notify() if end == "close_notify" else b"garbage" * 10)
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the client's end")
        assert "error" not in events.find("connection.closed")[0]


async def test_finish_during_the_handshake(serving_tls: NewServing, authority: Authority) -> None:
    """Before the handshake is done, there is no close_notify: the client gets the FIN alone."""
    async with serving_tls() as server:
        client = server.connect_tls_queued(authority.trust())
        await server.until(lambda: server.active == 1, "the connection to be accepted")
        server.connection(client).finish(CloseReason.DRAIN)
        with pytest.raises(ConnectionError, match="ended during the handshake"):
            await client.handshake()
        assert not client.was_reset
        client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.DRAIN) == 1, "the client's end")


@pytest.mark.parametrize("full", [False, True])
async def test_abort(
    serving_tls: NewServing, authority: Authority, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    """A client with nothing pending gets close_notify, unless the kernel refuses even that."""

    def accept_nothing(_fd: int, _data: bytes) -> int:
        raise BlockingIOError

    async with serving_tls() as server:
        client = await server.connect_tls(authority.trust())
        await client.exchange(b"hello")
        if full:
            monkeypatch.setattr(tls_module, "write", accept_nothing)
        server.connection(client).abort(CloseReason.IDLE_TIMEOUT)
        assert await client.receive_all() == b""
        assert client.got_close_notify != full
        assert not client.was_reset
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 1


@pytest.mark.parametrize(
    ("started", "old", "timeout", "reason"),
    [
        (False, False, 60.0, CloseReason.DRAIN),  # quiet, as any client that has sent nothing
        (True, True, 60.0, CloseReason.TLS_ERROR),  # in its own time
        (True, False, 0.4, CloseReason.DRAIN),  # at the deadline
    ],
)
async def test_drain_ends_handshakes(
    serving_tls: NewServing, timeout: float, reason: CloseReason, *, started: bool, old: bool
) -> None:
    """A drain does not wait for ever for a handshake."""
    async with serving_tls(drain_timeout_seconds=timeout) as server:
        client = await server.connect()
        connection = server.connection(client)
        if started:
            await client.send(b"\x16\x03\x01")
            await server.until(lambda: connection.busy, "it to be read")
        connection.opened_at -= HANDSHAKE_SECONDS if old else 0
        await asyncio.wait_for(server.drain(), 20)
        assert server.closed(reason) == 1
