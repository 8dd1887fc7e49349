"""The header that a proxy would send."""

import socket
from ipaddress import IPv6Address
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.wire.proxy_header import VERSIONS, proxy_header
from stentor_server.path.proxy_header import parse

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")


def header(version: str, ours: tuple[str, int], theirs: tuple[str, int]) -> bytes:
    """Return the header of a connection between these two ends."""
    family, more = (socket.AF_INET6, (0, 3)) if ":" in ours[0] else (socket.AF_INET, ())
    connection = Mock(family=family)
    connection.getsockname.return_value, connection.getpeername.return_value = (*ours, *more), (*theirs, *more)
    return proxy_header(version, connection)


def test_bytes() -> None:
    """The header is that of the specification, to the byte; a scope is not part of an address."""
    v4, v6 = (("192.0.2.7", 40000), ("203.0.113.1", 8080)), (("fe80::7%eth0", 1), ("fe80::1%eth0", 65535))
    assert header("v1", *v4) == b"PROXY TCP4 192.0.2.7 203.0.113.1 40000 8080\r\n"
    assert header("v1", *v6) == b"PROXY TCP6 fe80::7 fe80::1 1 65535\r\n"
    assert header("v2", *v4) == SIGNATURE + bytes.fromhex("21 11 000c c0000207 cb007101 9c40 1f90")
    ends = "fe800000000000000000000000000007 fe800000000000000000000000000001"
    assert header("v2", *v6) == SIGNATURE + bytes.fromhex(f"21 21 0024 {ends} 0001 ffff")


@pytest.mark.parametrize(
    ("version", "expected"), [("v1", b"PROXY UNKNOWN\r\n"), ("v2", SIGNATURE + bytes.fromhex("21 00 0000"))]
)
def test_unix_socket(version: str, expected: bytes) -> None:
    """The ends of a Unix socket are unknown to the protocol, which has a header for that."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert expected == proxy_header(version, ours)
    parsed = parse(expected, version)
    assert parsed is not None
    assert (parsed.length, parsed.source) == (len(expected), None)


v6 = st.integers(1 << 64, (1 << 128) - 1).map(IPv6Address)  # smaller ones can be IPv4 addresses in another notation
addresses = st.one_of(st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(v6, v6))
ports = st.integers(0, 65535)


@given(st.sampled_from(VERSIONS), addresses, ports, ports, st.binary(max_size=20))
def test_server_reads_it(version: str, both: tuple[object, object], source: int, destination: int, rest: bytes) -> None:
    """The server's own parser finds the source in it, and where it ends."""
    ours, theirs = map(str, both)
    made = header(version, (ours, source), (theirs, destination))
    for versions in (version, "any"):
        parsed = parse(made + rest, versions)
        assert parsed is not None
        assert (parsed.length, parsed.source) == (len(made), (ours, source))
