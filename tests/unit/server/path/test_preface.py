"""A connection from a proxy, before its PROXY header is complete."""

import asyncio
import errno

import pytest

from stentor_server.metrics import CloseReason, RejectReason
from stentor_server.path.poller import Poller
from stentor_server.path.proxy_header import V2_SIGNATURE
from unit.looping import Events
from unit.peer import Peer
from unit.server.serving import NewServing

TRUST = {"proxy_protocol": "any", "proxy_from": ("127.0.0.1/32",)}
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\n"
V2 = V2_SIGNATURE + b"\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x0f\xa0\1\xbb"
CLIENT = "192.0.2.7:4000"


def _name(peer: Peer) -> str:
    """Return how the log names the address of a peer."""
    return "{}:{}".format(*peer.connection.getsockname())


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_any_cut(serving: NewServing, events: Events, header: bytes) -> None:
    """Wherever the bytes are cut, the header names the client, and is no payload; the log names the proxy, too."""
    stream = header + b"payload" + header
    async with serving(**TRUST) as server:
        for count, cut in enumerate(range(1, len(stream), 5), 1):
            client = server.connect_queued()
            await client.send(stream[:cut])
            await asyncio.sleep(0)  # lets the server run
            await client.send(stream[cut:])
            client.shut_down_writing()
            assert stream[len(header) :].upper() == await client.receive_all()
            assert len(events.find("connection.closed", peer=CLIENT, received_bytes=len(stream) - len(header))) == count
            assert events.find("connection.closed", proxy=_name(client))


@pytest.mark.parametrize(
    ("versions", "payload", "error"),
    [
        ("any", b"GET / HTTP/1.1\r\n\r\n", "no PROXY header v1 or v2"),
        ("v1", V2, "no PROXY header v1"),
        ("any", V1[:-1], "the connection ended before its PROXY header was complete"),
    ],
)
async def test_wrong_header(serving: NewServing, events: Events, versions: str, payload: bytes, error: str) -> None:
    """What does not begin with a header is rejected unanswered, and logged with what is wrong."""
    async with serving(**TRUST | {"proxy_protocol": versions}) as server:
        client = server.connect_queued()
        await client.send(payload)
        client.shut_down_writing()
        assert await client.receive_all() == b""
        assert 1 == server.rejected(RejectReason.PROXY_PROTOCOL) == server.rejected()
        assert events.find("connection.rejected", reason="proxy_protocol", peer=_name(client), error=error)
        assert (server.accepted, server.received, len(server.server.prefaces)) == (0, 0, 0)


@pytest.mark.parametrize("reset", [False, True])
async def test_check_without_a_byte(serving: NewServing, events: Events, tls: dict[str, str], *, reset: bool) -> None:
    """A trusted proxy that ends without a byte is a check: nothing is rejected, and no limit of clients applies."""
    async with serving(**TRUST, **tls, allow=("192.0.2.0/24",), max_connections_per_address=1) as server:
        client = server.connect_queued()
        name = _name(client)
        await server.until(lambda: server.server.prefaces, "the server to wait for it")
        client.reset() if reset else client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end")
        assert (server.rejected(), server.accepted, len(server.server.prefaces)) == (0, 1, 0)
        assert events.find("connection.closed", log_level="debug", peer=name, reason="eof")


async def test_reset_in_the_header(serving: NewServing, events: Events) -> None:
    """A reset in the middle of the header is a rejection."""
    async with serving(**TRUST) as server:
        client = server.connect_queued()
        await client.send(V1[:9])
        await server.until(
            lambda: [each.started for each in server.server.prefaces.values()] == [True], "its beginning"
        )
        client.reset()
        await server.until(lambda: server.rejected(RejectReason.PROXY_PROTOCOL) == 1, "the reset")
        assert not server.server.prefaces
        assert events.find("connection.rejected", error="the connection ended before its PROXY header was complete")


async def test_late_header(serving: NewServing, events: Events) -> None:
    """A connection whose header does not arrive in time is rejected; one that has time left is waited for."""
    async with serving(**TRUST) as server:
        late, in_time, patient = (server.connect_queued() for _ in range(3))
        await server.until(lambda: len(server.server.prefaces) == 3, "the server to wait for all")
        for preface in [*server.server.prefaces.values()][:2]:
            preface.opened_at -= 10.1
        in_time.connection.send(V1 + b"waits")  # before the server looks, as after a pause
        server.server.sweep(server.now)
        assert await in_time.receive(5) == b"WAITS"
        assert await late.receive_all() == b""
        assert server.rejected(RejectReason.PROXY_PROTOCOL) == 1
        assert events.find("connection.rejected", error="no complete PROXY header in time")
        await patient.send(V1 + b"here")
        assert await patient.receive(4) == b"HERE"


async def test_untrusted_and_unix(serving: NewServing, events: Events) -> None:
    """A header from an untrusted address is not read; on the Unix socket it is payload."""
    async with serving(**TRUST) as server:
        await (await server.connect(source="127.0.0.2")).receive_all()
        assert 1 == server.rejected(RejectReason.PROXY_PROTOCOL) == server.rejected()
        (rejected,) = events.find("connection.rejected", error="not from a trusted proxy")
        assert "proxy" not in rejected
        assert V1.upper() == await (await server.connect("unix")).exchange(V1)


async def test_limits_are_of_the_client(serving: NewServing, events: Events) -> None:
    """The limits apply to the client's address, not to the proxy's."""
    limits = {"allow": ("192.0.2.0/24",), "max_connections_per_address": 1}
    async with serving(**TRUST, **limits) as server:
        first, second, foreign = (server.connect_queued() for _ in range(3))
        await first.send(V1 + b"in")
        assert await first.receive(2) == b"IN"
        assert server.counts is not None
        assert (server.counts["192.0.2.7"], server.counts["127.0.0.1"]) == (1, 0)
        for client, header, peer, reason in (
            (second, V1, CLIENT, RejectReason.PER_ADDRESS),
            (foreign, b"PROXY UNKNOWN\r\n", _name(foreign), RejectReason.NOT_ALLOWED),
        ):
            await client.send(header)
            assert await client.receive_all() == b""
            assert server.rejected(reason) == 1
            assert events.find("connection.rejected", reason=reason, peer=peer, proxy=_name(client))
        first.shut_down_writing()
        await server.until(lambda: server.active == 0, "the first to end")
        assert server.counts["192.0.2.7"] == 0


async def test_counts_as_open(serving: NewServing) -> None:
    """A connection that waits for its header uses a place, so that such connections cannot exhaust the worker."""
    async with serving(**TRUST, max_connections=1) as server:
        first = server.connect_queued()
        await server.until(lambda: server.server.prefaces, "the server to wait for it")
        assert await (await server.connect("unix")).receive_all() == b""
        assert server.rejected(RejectReason.MAX_CONNECTIONS) == 1
        await first.send(V1 + b"in")
        assert await first.receive(2) == b"IN"


async def test_bug(serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a preface raises is logged once, and costs that connection alone."""

    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    async with serving(**TRUST) as server:
        unlucky, lucky = server.connect_queued(), server.connect_queued()
        with monkeypatch.context() as patch:
            patch.setattr("stentor_server.path.preface.parse", break_down)
            await unlucky.send(V1)
            assert await unlucky.receive_all() == b""
        await lucky.send(V1 + b"fine")
        assert await lucky.receive(4) == b"FINE"
        server.bugs = 1
        assert server.rejected(RejectReason.PROXY_PROTOCOL) == 1


async def test_no_room_in_epoll(serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that cannot be watched before its header is rejected."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No room")

    async with serving(**TRUST) as server:
        client = server.connect_queued()
        with monkeypatch.context() as patch:
            patch.setattr(Poller, "watch", fail)
            assert await client.receive_all() == b""
        assert 1 == server.rejected(RejectReason.SERVER_ERROR) == server.rejected()
        assert events.find("connection.rejected", reason="server_error", error="No room")
        assert not server.server.prefaces
