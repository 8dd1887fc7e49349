"""PROXY headers, as bytes."""

import socket
import struct
from collections.abc import Iterator

import pytest

from processes import Server, read_all
from waiting import until

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 8080\r\n"
V1_IPV6 = b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 8080\r\n"
V2 = SIGNATURE + b"\x21\x11" + struct.pack("!H4s4sHH", 12, bytes([203, 0, 113, 7]), bytes(4), 40000, 8080)
V2_IPV6 = (
    SIGNATURE
    + b"\x21\x21"
    + struct.pack("!H16s16sHH", 36, socket.inet_pton(socket.AF_INET6, "2001:db8::7"), bytes(16), 40000, 8080)
)
# A record of a type that nobody knows after the addresses: to be passed over.
V2_EXTRA = SIGNATURE + b"\x21\x11" + struct.pack("!H", 12 + 3 + 1000) + V2[16:] + b"\xee\x03\xe8" + b"x" * 1000
V2_LOCAL = SIGNATURE + b"\x20\0\0\0"
V2_UNIX = SIGNATURE + b"\x21\x31" + struct.pack("!H", 216) + bytes(216)


def _readable(value: object) -> str | None:
    return value[:24].hex() if isinstance(value, bytes) else None


IPV4, IPV6 = "203.0.113.7:40000", "[2001:db8::7]:40000"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Server]]:
    """A server for each way of the option, that trusts loopback's first address."""
    trust = ("--workers", "1", "--proxy-from", "127.0.0.1", "--proxy-protocol")
    with Server(*trust, "v1") as v1, Server(*trust, "v2") as v2, Server(*trust, "any") as either:
        yield {"v1": v1, "v2": v2, "any": either}


@pytest.mark.parametrize(
    ("version", "header", "peer"),
    [
        ("v1", V1, IPV4),
        ("v1", V1_IPV6, IPV6),
        ("v1", b"PROXY UNKNOWN\r\n", None),
        ("v1", b"PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n", None),
        ("v2", V2, IPV4),
        ("v2", V2_IPV6, IPV6),
        ("v2", V2_EXTRA, IPV4),
        ("v2", V2_LOCAL, None),
        ("v2", V2_UNIX, None),
        ("any", V1, IPV4),
        ("any", V2, IPV4),
    ],
    ids=_readable,
)
@pytest.mark.parametrize("pieces", ["whole", "trickled"])
def test_header(servers: dict[str, Server], version: str, header: bytes, peer: str | None, pieces: str) -> None:
    """A header says who is called the peer, who sent it is the proxy, and no byte of it is answered (row 35)."""
    server = servers[version]
    before = server.quiet()
    with server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        proxy = "{}:{}".format(*connection.getsockname())
        data = header + b"and what follows"
        for byte in data if pieces == "trickled" else ():
            connection.sendall(bytes([byte]))
        if pieces == "whole":
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b"AND WHAT FOLLOWS"
    closed = server.event("connection.closed", proxy=proxy)
    assert (closed["peer"], closed["received_bytes"], closed["reason"]) == (peer or proxy, 16, "eof")
    after = server.quiet()
    name = "stentor_server_received_bytes_total"
    assert after[name] - before[name] == 16


@pytest.mark.parametrize(
    ("version", "data", "error"),
    [
        ("v1", b"no header at all\r\n", "no PROXY header v1"),
        ("v2", b"no header at all\r\n", "no PROXY header v2"),
        ("any", b"no header at all\r\n", "no PROXY header v1 or v2"),
        ("v1", V2, "no PROXY header v1"),
        ("v2", V1, "no PROXY header v2"),
        ("v1", b"PROXY TCP4 203.0.113.7" + b"0" * 100, "a PROXY header v1 longer than 107 bytes"),
        ("v1", b"PROXY TCP4 203.0.113.777 192.0.2.1 1 2\r\n", "'203.0.113.777'"),
        ("v1", b"PROXY TCP4 203.0.113.7 192.0.2.1 1 65536\r\n", "a PROXY header v1 with the port '65536'"),
        ("v1", b"PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n", "neither TCP4, TCP6 nor UNKNOWN"),
        ("v2", SIGNATURE + b"\x21\x11\x10\x00", "a PROXY header v2 of 4112 bytes, longer than 4096"),
        ("v2", SIGNATURE + b"\x11\x11\0\x0c", "version and command 0x11"),
        ("v2", SIGNATURE + b"\x21\x11\0\x04abcd", "a PROXY header v2 too short for its addresses"),
    ],
    ids=_readable,
)
def test_wrong_header(servers: dict[str, Server], version: str, data: bytes, error: str) -> None:
    """What is no header of the right version is rejected at once, counted, logged with why, never answered (row 35)."""
    server = servers[version]
    with server.connect() as connection:
        connection.sendall(data)
        _assert_rejected(server, connection, error)


@pytest.mark.parametrize("end", ["FIN", "reset"])
@pytest.mark.parametrize("said", [b"", V1[:-1]])
def test_header_cut_short(servers: dict[str, Server], said: bytes, end: str) -> None:
    """Who leaves before the end of the header never was a connection (row 35)."""
    server = servers["v1"]
    before = server.quiet()
    with server.connect() as connection:
        name = "{}:{}".format(*connection.getsockname())
        connection.sendall(said)
        if end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    rejected = server.event("connection.rejected", peer=name)
    assert rejected["error"] in {
        "the connection closed before its PROXY header was complete",
        "Connection reset by peer",
    }
    assert _rejected(server) - before[_REJECTED] == 1
    accepted = "stentor_server_connections_accepted_total"
    assert server.quiet()[accepted] == before[accepted]


def test_untrusted_source(servers: dict[str, Server]) -> None:
    """A right header from an address that is no proxy's is worth nothing (row 35)."""
    with servers["any"].connect(source="127.0.0.2") as connection:
        _send(connection, V1 + b"hello")
        _assert_rejected(servers["any"], connection, "not from a trusted proxy")


def test_rejections_leave_nothing(servers: dict[str, Server]) -> None:
    """While some are rejected others are served on, and the places of the rejected are free again (row 35)."""
    server = servers["any"]
    with server.connect() as served:
        served.sendall(V1)
        before = _rejected(server)
        for _ in range(200):
            with server.connect() as connection:
                connection.sendall(b"?")
                assert _end_of(connection) == b""
            served.sendall(b"x")
            assert served.recv(1) == b"X"
        assert until(lambda: _rejected(server) - before, "the rejections to be counted") == 200
    server.quiet()
    assert server.find("worker.exception") == []


_REJECTED = 'stentor_server_connections_rejected_total{reason="proxy_protocol"}'


def _rejected(server: Server) -> float:
    return server.metrics()[_REJECTED]


def _assert_rejected(server: Server, connection: socket.socket, error: str) -> None:
    name = "{}:{}".format(*connection.getsockname())
    assert _end_of(connection) == b""
    rejected = server.event("connection.rejected", peer=name)
    assert rejected["reason"] == "proxy_protocol"
    assert error in rejected["error"]
    assert _rejected(server) == len(server.find("connection.rejected", reason="proxy_protocol"))
    server.quiet()


def _send(connection: socket.socket, data: bytes) -> None:
    """Send what may be cut off before it has gone."""
    try:
        connection.sendall(data)
    except OSError:
        return


def _end_of(connection: socket.socket) -> bytes:
    try:
        return read_all(connection)
    except ConnectionResetError:
        return b""
