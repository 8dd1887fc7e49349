"""The header of a proxy."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_server.path.proxy_header import LOCAL, V1_MAX_BYTES, V2_MAX_BYTES, V2_SIGNATURE, Header, parse

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
BODY_MAPPED = _addresses("::ffff:192.0.2.1", "::ffff:198.51.100.1", 56324, 443)
WHOLE = [
    ("v1", b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n", ("192.0.2.1", 56324)),
    ("v1", b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", ("255.255.255.255", 65535)),
    ("v1", b"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", ("0.0.0.0", 0)),
    ("v1", b"PROXY TCP6 2001:db8::1 2001:DB8::2 56324 443\r\n", ("2001:db8::1", 56324)),
    ("v1", b"PROXY TCP6 " + (b"ffff:" * 8)[:-1] + b" " + (b"ffff:" * 8)[:-1] + b" 65535 65535\r\n", ()),
    ("v1", b"PROXY UNKNOWN\r\n", None),
    ("v1", b"PROXY UNKNOWN ffff::1 whatever it says\r\n", None),
    ("v1", b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    ("v1", b"PROXY UNKNOWN \xff\0\r\x80\n\r\n", None),
    ("v1", b"PROXY UNKNOWN\t?\r\n", None),
    ("v1", b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6401 56324 443\r\n", ("192.0.2.1", 56324)),
    ("v2", _v2(BODY_MAPPED, family=IPV6), ("192.0.2.1", 56324)),
    ("v2", _v2(BODY), ("192.0.2.1", 56324)),
    ("v2", _v2(BODY6, family=IPV6), ("2001:db8::1", 56324)),
    ("v2", _v2(BODY + b"\x04\0\x03abc"), ("192.0.2.1", 56324)),
    ("v2", _v2(BODY + b"\x04" + struct.pack("!H", 4065) + b"x" * 4065), ("192.0.2.1", 56324)),
    ("v2", _v2(BODY6 + b"\x02\0\x0bexample.org", family=IPV6), ("2001:db8::1", 56324)),
    ("v2", _v2(b"", LOCAL_COMMAND, 0), None),
    ("v2", _v2(BODY, LOCAL_COMMAND), None),
    ("v2", _v2(b"anything", LOCAL_COMMAND, IPV4), None),
    ("v2", _v2(b"", PROXY_COMMAND, 0), None),
    ("v2", _v2(bytes(216), family=0x31), None),
    ("v2", _v2(BODY, family=0x12), None),
    ("v2", LOCAL["v2"], None),
    ("v1", LOCAL["v1"], None),
]
NAMES = [repr(header)[:40] for _, header, _ in WHOLE]


def _expected(header: bytes, source: tuple[str, int] | tuple[()] | None) -> Header:
    if source == ():
        source = (":".join(["ffff"] * 8), 65535)
    return Header(len(header), source or None)


@pytest.mark.parametrize(("version", "header", "source"), WHOLE, ids=NAMES)
def test_whole(version: str, header: bytes, source: tuple[str, int] | None) -> None:
    """A whole header gives the client's address, where it has one, and its own length, whatever follows."""
    for versions in (version, "any"):
        for data in (header, header + b"\n", header + PAYLOAD, header + header):
            assert _expected(header, source) == parse(data, versions)


@pytest.mark.parametrize(("version", "header", "source"), WHOLE, ids=NAMES)
def test_every_truncation(version: str, header: bytes, source: tuple[str, int] | None) -> None:
    """While a header is incomplete it is neither taken nor refused."""
    for end in range(len(header)):
        assert parse(header[:end], version) is None
        assert parse(header[:end], "any") is None


@pytest.mark.parametrize(("version", "header", "source"), WHOLE, ids=NAMES)
def test_other_version(version: str, header: bytes, source: tuple[str, int] | None) -> None:
    """A header of the version that is not allowed is refused with its first byte."""
    other = {"v1": "v2", "v2": "v1"}[version]
    for end in (1, len(header)):
        with pytest.raises(ValueError, match=f"^no PROXY header {other}$"):
            parse(header[:end], other)


@pytest.mark.parametrize("versions", VERSIONS)
@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"proxy ", b"PROXX", b"\r\n\r\n\r"])
def test_something_else(versions: str, data: bytes) -> None:
    """What is no header is refused as soon as that is plain."""
    with pytest.raises(ValueError, match=f"^no PROXY header {'v1 or v2' if versions == 'any' else versions}$"):
        parse(data, versions)


@pytest.mark.parametrize(
    "line",
    [
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1",
        "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 ",
        "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443",
        "PROXY TCP6 192.0.2.1 198.51.100.1 56324 443",
        "PROXY TCP6 fe80::1%eth0 fe80::2 56324 443",
        "PROXY TCP6 fe80::2 fe80::1%\x1b[2J 56324 443",
        "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443",
        "PROXY TCP4 192.0.2.1 198.51.100 56324 443",
        "PROXY TCP4 192.0.2.1/24 198.51.100.1 56324 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536",
        "PROXY TCP4 192.0.2.1 198.51.100.1 -1 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +1 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1_0 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 port 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1  443",
        "PROXY TCP5 192.0.2.1 198.51.100.1 56324 443",
        "PROXY UDP4 192.0.2.1 198.51.100.1 56324 443",
        "PROXY unknown",
        "PROXY ",
        "PROXY TCP4",
        "PROXY TCP4 192.0.2.1\t198.51.100.1 56324 443",
        "PROXY TCP4 \u0661.0.2.1 198.51.100.1 56324 443",
        "PROXY TCP4 192.0.2.1 198.51.100.1 \u0665 443",
    ],
)
def test_wrong_line(line: str) -> None:
    """A line that is whole and wrong is refused."""
    for versions in ("v1", "any"):
        with pytest.raises(ValueError):
            parse(line.encode() + b"\r\n", versions)


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r", b" \r\n"])
def test_line_too_long(ending: bytes) -> None:
    """A line that has not ended where it must have is refused."""
    start = b"PROXY UNKNOWN "
    whole = start + b"x" * (V1_MAX_BYTES - len(start)) + ending
    assert parse(whole[: V1_MAX_BYTES - 1], "v1") is None
    with pytest.raises(ValueError, match="longer than 107 bytes"):
        parse(whole[: max(V1_MAX_BYTES, len(whole))], "v1")


@pytest.mark.parametrize("command", [0x00, 0x01, 0x10, 0x11, 0x22, 0x2F, 0x31, 0xFF])
def test_wrong_version_or_command(command: int) -> None:
    """A binary header of another version, or with an unknown command, is refused, before all of it has come."""
    with pytest.raises(ValueError, match=f"version and command {command:#04x}"):
        parse(_v2(BODY, command)[:16], "v2")


@pytest.mark.parametrize(("family", "body"), [(IPV4, BODY), (IPV6, BODY6)])
def test_too_short_for_its_addresses(family: int, body: bytes) -> None:
    """A binary header that says less than its addresses take is refused, however little."""
    for length in range(len(body)):
        with pytest.raises(ValueError, match="too short for its addresses"):
            parse(_v2(body[:length], family=family) + PAYLOAD, "v2")


def test_binary_too_long() -> None:
    """A binary header that will be longer than anybody needs is refused before it has come."""
    most = V2_MAX_BYTES - 16
    assert parse(_v2(bytes(most))[:16], "v2") is None
    for length in (most + 1, 65535):
        with pytest.raises(ValueError, match=f"of {length + 16} bytes, longer than 4096"):
            parse(_v2(bytes(length))[:16], "v2")


@given(
    st.binary(max_size=300), st.sampled_from(VERSIONS), st.sampled_from([b"", b"PROXY ", b"PROXY TCP6 ", V2_SIGNATURE])
)
def test_never_anything_else(data: bytes, versions: str, start: bytes) -> None:
    """Whatever comes is a header, or incomplete, or refused."""
    try:
        header = parse(start + data, versions)
    except ValueError:
        return
    if header is not None:
        assert 0 < header.length <= len(start + data)
        if header.source is not None:
            assert str(ipaddress.ip_address(header.source[0])) == header.source[0]


@given(st.one_of(st.tuples(ipv4, ipv4), st.tuples(ipv6, ipv6)), ports, ports, st.binary(max_size=500), st.binary())
def test_every_address(
    pair: tuple[ipaddress.IPv4Address, ipaddress.IPv4Address], port: int, other: int, extras: bytes, payload: bytes
) -> None:
    """Any addresses and ports are read in either version, and of what follows nothing."""
    source, destination = pair
    line = f"PROXY TCP{source.version} {source} {destination} {port} {other}\r\n".encode()
    family = IPV4 if source.version == 4 else IPV6
    binary = _v2(_addresses(str(source), str(destination), port, other) + extras, family=family)
    client = str(getattr(source, "ipv4_mapped", None) or source)
    for versions, header in (("v1", line), ("v2", binary)):
        assert Header(len(header), (client, port)) == parse(header + payload, versions)


@given(st.binary(max_size=400), st.integers(0, 255), st.sampled_from([LOCAL_COMMAND, PROXY_COMMAND]))
def test_binary_length(body: bytes, family: int, command: int) -> None:
    """However little of a binary header is understood, its length is exact."""
    header = _v2(body, command, family)
    try:
        found = parse(header + PAYLOAD, "v2")
    except ValueError:
        assert command == PROXY_COMMAND
        assert len(body) < {IPV4: 12, IPV6: 36}[family]
        return
    assert found is not None
    assert found.length == len(header)


def test_local() -> None:
    """What a proxy says for itself is a header of its version, in any mode."""
    assert set(VERSIONS) == set(LOCAL)
    for versions, header in LOCAL.items():
        assert Header(len(header), None) == parse(header, versions)
