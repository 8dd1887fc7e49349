"""A connection from a proxy, before its header is whole."""

import asyncio
import errno
from collections.abc import Callable

import pytest

from stentor_server.metrics import CloseReason, RejectReason
from stentor_server.path.poller import Poller
from stentor_server.path.proxy_header import V2_SIGNATURE
from unit.looping import Events
from unit.server.authority import Authority
from unit.server.serving import Serving

NewServing = Callable[..., Serving]
TRUST = ("127.0.0.1/32",)
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4000 443\r\n"
V2 = V2_SIGNATURE + b"\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x0f\xa0\1\xbb"
CLIENT = "192.0.2.7:4000"


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_whose_it_is(serving: NewServing, events: Events, header: bytes) -> None:
    """The connection is the client's of the header, and the log knows the proxy too; the header is no payload."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        client = server.connect_queued()
        await client.send(header + b"at once")
        assert await client.receive(7) == b"AT ONCE"
        client.shut_down_writing()
        await server.until(lambda: server.closed(CloseReason.EOF) == 1, "the end")
        (closed,) = events.find("connection.closed")
        host, port = client.connection.getsockname()
        assert (closed["peer"], closed["proxy"]) == (CLIENT, f"{host}:{port}")
        assert (closed["received_bytes"], server.received) == (7, 7)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_byte_by_byte(serving: NewServing, header: bytes) -> None:
    """A header may trickle in; meanwhile nothing is taken for accepted, nothing is answered, and the worker rests."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        client = server.connect_queued()
        await server.until(lambda: len(server.server.prefaces) == 1, "it to be waited for")
        (preface,) = server.server.prefaces.values()
        for end in range(1, len(header)):
            await client.send(header[end - 1 : end])
            await server.until(lambda: preface._header == header[:end] and server.at_rest(), "the byte")  # noqa: B023
            assert (server.accepted, server.received) == (0, 0)
        await client.send(header[-1:] + b"then this")
        assert await client.receive(9) == b"THEN THIS"
        assert (server.accepted, len(server.server.prefaces)) == (1, 0)


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
async def test_any_cut(serving: NewServing, header: bytes) -> None:
    """Wherever the bytes are cut, not one of the payload is lost, and none of the header is taken for it."""
    stream = header + b"payload" + header
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        for cut in range(1, len(stream), 3):
            client = server.connect_queued()
            await client.send(stream[:cut])
            await asyncio.sleep(0)  # gives the server its turn
            await client.send(stream[cut:])
            client.shut_down_writing()
            assert stream[len(header) :].upper() == await client.receive_all()


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", V2_SIGNATURE + b"\x20\0\0\0"], ids=["v1", "v2"])
async def test_proxy_itself(serving: NewServing, events: Events, header: bytes) -> None:
    """A proxy that speaks for itself is the client."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        client = server.connect_queued()
        await client.send(header + b"health")
        assert await client.receive(6) == b"HEALTH"
        client.shut_down_writing()
        host, port = client.connection.getsockname()
        await server.until(lambda: events.find("connection.closed", peer=f"{host}:{port}"), "the line in the log")


@pytest.mark.parametrize(
    ("versions", "payload", "error"),
    [
        ("any", b"GET / HTTP/1.1\r\n\r\n", "no PROXY header v1 or v2"),
        ("v1", V2, "no PROXY header v1"),
        ("v2", V1, "no PROXY header v2"),
        ("v1", b"PROXY TCP4 192.0.2.7 198.51.100.1 99999 443\r\n", "a PROXY header v1 with the port '99999'"),
        ("v1", b"PROXY " + b"x" * 200, "a PROXY header v1 longer than 107 bytes"),
        ("v2", V2_SIGNATURE + b"\x21\x11\xff\xff", "a PROXY header v2 of 65551 bytes, longer than 4096"),
    ],
)
async def test_wrong_header(serving: NewServing, events: Events, versions: str, payload: bytes, error: str) -> None:
    """What does not begin with a header is closed unanswered, counted, and logged with what is wrong."""
    async with serving(proxy_protocol=versions, proxy_from=TRUST) as server:
        client = server.connect_queued()
        await client.send(payload)
        assert await client.receive_all() == b""
        assert 1 == server.rejected(RejectReason.PROXY_PROTOCOL) == server.rejected()
        host, port = client.connection.getsockname()
        assert events.find("connection.rejected", reason="proxy_protocol", peer=f"{host}:{port}", error=error)
        assert (server.accepted, server.received, len(server.server.prefaces)) == (0, 0, 0)


@pytest.mark.parametrize("payload", [b"", b"P", V1[:-1], V2[:-1]])
async def test_end_before_the_header(serving: NewServing, events: Events, payload: bytes) -> None:
    """One that ends before its header does is counted as refused."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        client = server.connect_queued()
        await client.send(payload)
        client.shut_down_writing()
        assert await client.receive_all() == b""
        assert server.rejected(RejectReason.PROXY_PROTOCOL) == 1
        assert events.find("connection.rejected", error="the connection closed before its PROXY header was complete")


async def test_reset_before_the_header(serving: NewServing) -> None:
    """One that is reset before its header has come is counted as refused too."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        client = server.connect_queued()
        await server.until(lambda: len(server.server.prefaces) == 1, "it to be waited for")
        client.reset()
        await server.until(lambda: server.rejected(RejectReason.PROXY_PROTOCOL) == 1, "the reset")
        assert not server.server.prefaces


async def test_header_that_does_not_come(serving: NewServing, events: Events) -> None:
    """One whose header does not come in time is refused; one that has more time left is waited for."""
    async with serving(proxy_protocol="any", proxy_from=TRUST, idle_timeout_seconds=0.2) as server:
        silent = server.connect_queued()
        await server.until(lambda: len(server.server.prefaces) == 1, "it to be waited for")
        (preface,) = server.server.prefaces.values()
        patient = server.connect_queued()
        await server.until(lambda: len(server.server.prefaces) == 2, "the other to be waited for")
        preface.opened_at -= 10.1
        assert await silent.receive_all() == b""
        assert server.rejected(RejectReason.PROXY_PROTOCOL) == 1
        assert events.find("connection.rejected", error="no complete PROXY header in time")
        await patient.send(V1 + b"here")
        assert await patient.receive(4) == b"HERE"


async def test_stranger(serving: NewServing, events: Events) -> None:
    """A header of somebody who is not trusted to send one is not even read."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        stranger = await server.connect(source="127.0.0.2")
        await stranger.receive_all()
        assert 1 == server.rejected(RejectReason.PROXY_PROTOCOL) == server.rejected()
        (rejected,) = events.find("connection.rejected", error="not from a trusted proxy")
        assert "proxy" not in rejected


async def test_unix_socket_has_no_header(serving: NewServing) -> None:
    """On the Unix socket there are no proxies, and what looks like a header is payload."""
    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        local = await server.connect("unix")
        assert V1.upper() == await local.exchange(V1)


async def test_limits_are_of_the_client(serving: NewServing, events: Events) -> None:
    """Whether a connection is allowed, and how many there are, is judged by the client's address, not the proxy's."""
    limits = {"allow": ("192.0.2.0/24",), "max_connections_per_address": 1}
    async with serving(proxy_protocol="any", proxy_from=TRUST, **limits) as server:
        first, second, foreign = (server.connect_queued() for _ in range(3))
        await first.send(V1 + b"in")
        assert await first.receive(2) == b"IN"
        assert server.counts is not None
        assert (server.counts["192.0.2.7"], server.counts["127.0.0.1"]) == (1, 0)
        await second.send(V1)
        assert await second.receive_all() == b""
        assert server.rejected(RejectReason.PER_ADDRESS) == 1
        proxy = "{}:{}".format(*second.connection.getsockname())
        assert events.find("connection.rejected", reason="per_address", peer=CLIENT, proxy=proxy)
        await foreign.send(b"PROXY UNKNOWN\r\n")
        assert await foreign.receive_all() == b""
        assert server.rejected(RejectReason.NOT_ALLOWED) == 1
        itself = "{}:{}".format(*foreign.connection.getsockname())
        assert events.find("connection.rejected", reason="not_allowed", peer=itself, proxy=itself)
        first.shut_down_writing()
        await server.until(lambda: server.active == 0, "the first to end")
        assert server.counts["192.0.2.7"] == 0


async def test_counts_as_open(serving: NewServing) -> None:
    """One whose header has yet to come takes a place, so that those cannot exhaust the worker."""
    async with serving(proxy_protocol="any", proxy_from=TRUST, max_connections=1) as server:
        first = server.connect_queued()
        await server.until(lambda: len(server.server.prefaces) == 1, "it to be waited for")
        for path in ("tcp", "unix"):
            assert await (await server.connect(path)).receive_all() == b""
        assert server.rejected(RejectReason.MAX_CONNECTIONS) == 2
        await first.send(V1 + b"in")
        assert await first.receive(2) == b"IN"
        assert await (await server.connect()).receive_all() == b""
        assert server.rejected(RejectReason.MAX_CONNECTIONS) == 3


async def test_header_goes_before_tls(serving: NewServing, events: Events, authority: Authority) -> None:
    """The header comes in the clear, and TLS after it."""
    tls = {"tls_cert": authority.cert, "tls_key": authority.key}
    async with serving(proxy_protocol="v2", proxy_from=TRUST, **tls) as server:
        client = server.connect_tls_queued(authority.client())
        client.connection.send(V2)
        await client.handshake()
        assert await client.exchange(b"secret") == b"SECRET"
        await client.send_close_notify()
        await server.until(lambda: events.find("connection.closed", peer=CLIENT, tls="TLSv1.3"), "the line")


async def test_bug(serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a preface raises is logged once, and costs that connection alone."""

    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    async with serving(proxy_protocol="any", proxy_from=TRUST) as server:
        unlucky, lucky = server.connect_queued(), server.connect_queued()
        with monkeypatch.context() as patched:
            patched.setattr("stentor_server.path.preface.parse", break_down)
            await unlucky.send(V1)
            assert await unlucky.receive_all() == b""
        await lucky.send(V1 + b"fine")
        assert await lucky.receive(4) == b"FINE"
        server.bugs = 1
        assert len(events.find("worker.exception")) == 1
        assert server.rejected(RejectReason.PROXY_PROTOCOL) == 1


@pytest.mark.parametrize("step", ["before", "after"])
async def test_no_room_in_epoll(
    serving: NewServing, events: Events, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """One that cannot be watched, before its header or after it, is closed, logged and counted as refused."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No room")

    async with serving(proxy_protocol="any", proxy_from=TRUST, max_connections_per_address=5) as server:
        client = server.connect_queued()
        if step == "after":
            await server.until(lambda: len(server.server.prefaces) == 1, "it to be waited for")
        with monkeypatch.context() as patch:
            patch.setattr(Poller, "watch", fail)
            await client.send(V1)
            assert await client.receive_all() == b""
        assert 1 == server.rejected(RejectReason.SERVER_ERROR) == server.rejected()
        assert events.find("connection.rejected", reason="server_error", error="No room")
        assert not server.server.prefaces
        assert server.counts is not None
        assert server.counts["192.0.2.7"] == 0
