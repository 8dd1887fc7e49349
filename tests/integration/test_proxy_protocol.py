"""PROXY headers, as bytes."""

import socket
import struct
from collections.abc import Iterator

import pytest

import connections
from connections import answer_to, exchanged, was_ended
from processes import Server
from waiting import until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 8080\r\n"
V2 = SIGNATURE + b"\x21\x11" + struct.pack("!H4s4sHH", 12, bytes([203, 0, 113, 7]), bytes(4), 40000, 8080)
V2_IPV6 = (
    SIGNATURE
    + b"\x21\x21"
    + struct.pack("!H16s16sHH", 36, socket.inet_pton(socket.AF_INET6, "2001:db8::7"), bytes(16), 40000, 8080)
)
V2_LOCAL = SIGNATURE + b"\x20\0\0\0"
IPV4, IPV6 = "203.0.113.7:40000", "[2001:db8::7]:40000"


def _readable(value: object) -> str | None:
    return value[:24].hex() if isinstance(value, bytes) else None


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """A server for each version and one for both, which trust loopback's first address."""
    trust = ("--workers", "1", "--proxy-from", "127.0.0.1", "--proxy-protocol")
    with Server(*trust, "v1") as v1, Server(*trust, "v2") as v2, Server(*trust, "any") as either:
        yield {"v1": v1, "v2": v2, "any": either}


@pytest.mark.parametrize(
    ("version", "header", "peer"),
    [
        ("v1", V1, IPV4),
        ("v1", b"PROXY UNKNOWN\r\n", None),
        ("v2", V2, IPV4),
        ("v2", V2_IPV6, IPV6),
        ("v2", V2_LOCAL, None),
        ("any", V1, IPV4),
        ("any", V2, IPV4),
    ],
    ids=_readable,
)
def test_header(servers: dict[str, Server], version: str, header: bytes, peer: str | None) -> None:
    """A header names the peer, its sender is the proxy, and no byte of it is answered, however it arrives (row 35)."""
    server = servers[version].begin()
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        proxy = "{}:{}".format(*connection.getsockname())
        for byte in header:
            connection.sendall(bytes([byte]))
        assert answer_to(connection, b"and what follows") == b"AND WHAT FOLLOWS"
    with server.connect() as connection:
        assert answer_to(connection, header + b"and what follows") == b"AND WHAT FOLLOWS"
    closed = server.event("connection.closed", proxy=proxy)
    assert (closed["peer"], closed["received_bytes"], closed["reason"]) == (peer or proxy, 16, "eof")
    assert server.quiet()["stentor_server_received_bytes_total"] == 32


@pytest.mark.parametrize(
    ("version", "data"),
    [
        ("any", b"no header at all\r\n"),
        ("v1", V2),
        ("v2", V1),
        ("v1", b"PROXY TCP4 203.0.113.7" + b"0" * 100),
        ("v1", b"PROXY TCP4 203.0.113.777 192.0.2.1 1 2\r\n"),
        ("v2", SIGNATURE + b"\x21\x11\x10\x00"),
        ("v2", SIGNATURE + b"\x21\x11\0\x04abcd"),
    ],
    ids=_readable,
)
def test_wrong_header(servers: dict[str, Server], version: str, data: bytes) -> None:
    """What is no header of the right version is rejected at once, counted, logged with why, never answered (row 35)."""
    server = servers[version].begin()
    with server.connect() as connection:
        assert was_ended(connection, data)
    (rejected,) = server.rejected("proxy_protocol")
    assert rejected["error"]
    server.quiet()


@pytest.mark.parametrize("end", ["FIN", "reset"])
@pytest.mark.parametrize("said", [b"", V1[:-1]])
def test_header_cut_short(servers: dict[str, Server], said: bytes, end: str) -> None:
    """One that ends before its header does never was a connection (row 35)."""
    server = servers["v1"].begin()
    with server.connect() as connection:
        connection.sendall(said)
        if end == "reset":
            connections.reset(connection)
    server.rejected("proxy_protocol")
    assert server.quiet()["stentor_server_connections_accepted_total"] == 0


def test_untrusted_source(servers: dict[str, Server]) -> None:
    """A right header from an address that is no proxy's is worth nothing (row 35)."""
    server = servers["any"].begin()
    with server.connect(source="127.0.0.2") as connection:
        assert was_ended(connection, V1 + b"hello")
    server.rejected("proxy_protocol")


def test_rejections_leave_nothing(servers: dict[str, Server]) -> None:
    """While some are rejected others are served, and the places of the rejected are free again (row 35)."""
    server = servers["any"].begin()
    with server.connect() as served:
        served.sendall(V1)
        for _ in range(200):
            with server.connect() as connection:
                assert was_ended(connection, b"?")
            assert exchanged(served)
        until(lambda: len(server.find("connection.rejected")) == 200, "the rejections to be logged")
    server.rejected("proxy_protocol", 200)
    server.quiet()
    assert server.find("worker.exception") == []
