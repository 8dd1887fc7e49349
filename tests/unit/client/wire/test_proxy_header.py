"""The header that a proxy would send."""

import socket
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.wire.proxy_header import VERSIONS, proxy_header
from stentor_server.path.proxy_header import parse

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


class Ends:
    """What of a connection the header is made of."""

    def __init__(self, family: int, ours: tuple[object, ...], theirs: tuple[object, ...]) -> None:
        """Have these two ends."""
        self.family, self._ours, self._theirs = family, ours, theirs

    def getsockname(self) -> tuple[object, ...]:
        """Return this end."""
        return self._ours

    def getpeername(self) -> tuple[object, ...]:
        """Return the other."""
        return self._theirs


def header(version: str, *ends: object) -> bytes:
    """Return the header of a connection between these ends."""
    family = socket.AF_INET6 if ":" in str(ends[0]) else socket.AF_INET
    more = (0, 3) if family == socket.AF_INET6 else ()
    return proxy_header(version, Ends(family, (*ends[:2], *more), (*ends[2:], *more)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "ends", "expected"),
    [
        ("v1", ("192.0.2.7", 40000, "203.0.113.1", 8080), b"PROXY TCP4 192.0.2.7 203.0.113.1 40000 8080\r\n"),
        ("v1", ("2001:db8::7", 1, "::1", 65535), b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n"),
        ("v1", ("fe80::7%eth0", 1, "fe80::1%eth0", 2), b"PROXY TCP6 fe80::7 fe80::1 1 2\r\n"),
        (
            "v2",
            ("192.0.2.7", 40000, "203.0.113.1", 8080),
            SIGNATURE + bytes.fromhex("21 11 000c c0000207 cb007101 9c40 1f90"),
        ),
        (
            "v2",
            ("2001:db8::7", 1, "::1", 65535),
            SIGNATURE
            + bytes.fromhex("21 21 0024 20010db8000000000000000000000007 00000000000000000000000000000001 0001 ffff"),
        ),
        (
            "v2",
            ("fe80::7%eth0", 1, "fe80::1%eth0", 2),
            SIGNATURE
            + bytes.fromhex("21 21 0024 fe800000000000000000000000000007 fe800000000000000000000000000001 0001 0002"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_bytes(version: str, ends: tuple[object, ...], expected: bytes) -> None:
    """The header is that of the specification, to the byte."""
    assert expected == header(version, *ends)


@pytest.mark.parametrize(
    ("version", "expected"), [("v1", b"PROXY UNKNOWN\r\n"), ("v2", SIGNATURE + bytes.fromhex("21 00 0000"))]
)
def test_unix_socket(version: str, expected: bytes) -> None:
    """The ends of a Unix socket are unknown to the protocol, which has a header for that."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = proxy_header(version, ours)
    assert expected == made
    parsed = parse(made, version)
    assert parsed is not None
    assert (parsed.length, parsed.source) == (len(made), None)


# Those that are IPv4 addresses in another dress the server knows by their own.
v6 = st.integers(1 << 64, (1 << 128) - 1).map(IPv6Address)
addresses = st.one_of(st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(v6, v6))
ports = st.integers(0, 65535)


@given(st.sampled_from(VERSIONS), addresses, ports, ports, st.binary(max_size=20))
def test_server_reads_it(version: str, both: tuple[object, object], source: int, destination: int, rest: bytes) -> None:
    """The server's own parser finds the source in it, and where it ends."""
    ours, theirs = map(str, both)
    made = header(version, ours, source, theirs, destination)
    for versions in (version, "any"):
        parsed = parse(made + rest, versions)
        assert parsed is not None
        assert (parsed.length, parsed.source) == (len(made), (ours, source))


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A real connection, both its ends."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with (
        socket.create_server((request.param, 0), family=family) as listener,
        socket.create_connection(listener.getsockname()[:2]) as ours,
    ):
        theirs, _ = listener.accept()
        with theirs:
            yield ours, theirs


@pytest.mark.parametrize("version", VERSIONS)
def test_real_connection(pair: tuple[socket.socket, socket.socket], version: str) -> None:
    """The source is this end of the connection, as the other end sees it."""
    ours, theirs = pair
    parsed = parse(proxy_header(version, ours), version)
    assert parsed is not None
    assert theirs.getpeername()[:2] == parsed.source
