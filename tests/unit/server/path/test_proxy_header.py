"""The PROXY header."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_server.path.proxy_header import V1_MAX_BYTES, V2_MAX_BYTES, V2_SIGNATURE, Header, parse

PAYLOAD = b"PROXY what follows\r\n\r\n\0\r\nQUIT\n"
VERSIONS = ["v1", "v2", "any"]
IPV4, IPV6 = 0x11, 0x21
LOCAL_COMMAND, PROXY_COMMAND = 0x20, 0x21

ports = st.integers(0, 65535)
ipv4 = st.ip_addresses(v=4)
ipv6 = st.ip_addresses(v=6)


def _v2(body: bytes, command: int = PROXY_COMMAND, family: int = IPV4) -> bytes:
    return V2_SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def _addresses(source: str, destination: str, source_port: int, destination_port: int) -> bytes:
    packed = b"".join(ipaddress.ip_address(each).packed for each in (source, destination))
    return packed + struct.pack("!HH", source_port, destination_port)


BODY = _addresses("192.0.2.1", "198.51.100.1", 56324, 443)
BODY6 = _addresses("2001:db8::1", "2001:db8::2", 56324, 443)
MAPPED = _addresses("::ffff:192.0.2.1", "::ffff:198.51.100.1", 56324, 443)
COMPLETE = [
    ("v1", b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", ("192.0.2.1", 56324)),
    ("v1", b"PROXY TCP6 2001:db8::1 2001:DB8::2 56324 443\r\n", ("2001:db8::1", 56324)),
    ("v1", b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6401 56324 443\r\n", ("192.0.2.1", 56324)),
    ("v1", b"PROXY UNKNOWN\r\n", None),
    ("v1", b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    ("v2", _v2(BODY), ("192.0.2.1", 56324)),
    ("v2", _v2(BODY6, family=IPV6), ("2001:db8::1", 56324)),
    ("v2", _v2(MAPPED, family=IPV6), ("192.0.2.1", 56324)),
    ("v2", _v2(BODY + b"\x04" + struct.pack("!H", 4065) + b"x" * 4065), ("192.0.2.1", 56324)),
    ("v2", V2_SIGNATURE + b"\x20\0\0\0", None),
    ("v2", _v2(BODY, LOCAL_COMMAND), None),
    ("v2", _v2(b"", PROXY_COMMAND, 0), None),
    ("v2", _v2(bytes(216), family=0x31), None),
    ("v2", _v2(BODY, family=0x12), None),
]


@pytest.mark.parametrize(("version", "header", "source"), COMPLETE, ids=[repr(each)[:40] for _, each, _ in COMPLETE])
def test_complete(version: str, header: bytes, source: tuple[str, int] | None) -> None:
    """A complete header gives the client's address, if it has one, and its length, whatever follows; a part, nothing.

    A header of the version that is not allowed is refused from its first byte on.
    """
    for versions in (version, "any"):
        for data in (header, header + b"\n", header + PAYLOAD, header + header):
            assert Header(len(header), source) == parse(data, versions)
        for end in range(len(header)):
            assert parse(header[:end], versions) is None
    other = {"v1": "v2", "v2": "v1"}[version]
    for end in (1, len(header)):
        with pytest.raises(ValueError, match=f"^no PROXY header {other}$"):
            parse(header[:end], other)


@pytest.mark.parametrize("data", [b"G", b"\x16\x03\x01", b"proxy ", b"PROXX", b"\r\n\r\n\r"])
def test_something_else(data: bytes) -> None:
    """What is no header is refused as soon as that is clear."""
    for versions in VERSIONS:
        with pytest.raises(ValueError, match=f"^no PROXY header {'v1 or v2' if versions == 'any' else versions}$"):
            parse(data, versions)


@pytest.mark.parametrize(
    "line",
    [
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324",
        "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443",
        "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443",
        "PROXY TCP6 192.0.2.1 198.51.100.1 56324 443",
        "PROXY TCP6 fe80::2 fe80::1%\x1b[2J 56324 443",
        "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1_0 443",
        "PROXY UDP4 192.0.2.1 198.51.100.1 56324 443",
        "PROXY ",
        "PROXY TCP4 192.0.2.1 198.51.100.1 \u0665 443",
    ],
)
def test_wrong_line(line: str) -> None:
    """A line that is complete and wrong is refused, in printable words."""
    with pytest.raises(ValueError) as raised:
        parse(line.encode() + b"\r\n", "any")
    assert str(raised.value).isprintable()
    assert "codec" not in str(raised.value)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r", b" \r\n"])
def test_line_too_long(ending: bytes) -> None:
    """A line without an end within the allowed length is refused."""
    start = b"PROXY UNKNOWN "
    line = start + b"x" * (V1_MAX_BYTES - len(start)) + ending
    assert parse(line[: V1_MAX_BYTES - 1], "v1") is None
    with pytest.raises(ValueError, match="longer than 107 bytes"):
        parse(line, "v1")


def test_wrong_binary_header() -> None:
    """A binary header of another version, with an unknown command, or too long is refused before all has arrived.

    One that is too short for its addresses is refused, too.
    """
    for command in (0x00, 0x11, 0x22, 0x31):
        with pytest.raises(ValueError, match=f"version and command {command:#04x}"):
            parse(_v2(BODY, command)[:16], "v2")
    longest = V2_MAX_BYTES - 16
    assert parse(_v2(bytes(longest))[:16], "v2") is None
    for length in (longest + 1, 65535):
        with pytest.raises(ValueError, match=f"of {length + 16} bytes, longer than 4096"):
            parse(_v2(bytes(length))[:16], "v2")
    for family, body in ((IPV4, BODY), (IPV6, BODY6)):
        for length in range(len(body)):
            with pytest.raises(ValueError, match="too short for its addresses"):
                parse(_v2(body[:length], family=family) + PAYLOAD, "v2")


@given(
    st.binary(max_size=300), st.sampled_from(VERSIONS), st.sampled_from([b"", b"PROXY ", b"PROXY TCP6 ", V2_SIGNATURE])
)
def test_any_bytes(data: bytes, versions: str, start: bytes) -> None:
    """Any bytes are a header, or incomplete, or refused."""
    try:
        header = parse(start + data, versions)
    except ValueError:
        return
    if header is not None:
        assert 0 < header.length <= len(start + data)
        if header.source is not None:
            assert str(ipaddress.ip_address(header.source[0])) == header.source[0]


@given(st.one_of(st.tuples(ipv4, ipv4), st.tuples(ipv6, ipv6)), ports, ports, st.binary(max_size=500), st.binary())
def test_any_address(
    pair: tuple[ipaddress.IPv4Address, ipaddress.IPv4Address], port: int, other: int, extras: bytes, payload: bytes
) -> None:
    """Any addresses and ports are read in either version, and nothing of what follows."""
    source, destination = pair
    line = f"PROXY TCP{source.version} {source} {destination} {port} {other}\r\n".encode()
    family = IPV4 if source.version == 4 else IPV6
    binary = _v2(_addresses(str(source), str(destination), port, other) + extras, family=family)
    client = str(getattr(source, "ipv4_mapped", None) or source)
    for versions, header in (("v1", line), ("v2", binary)):
        assert Header(len(header), (client, port)) == parse(header + payload, versions)
