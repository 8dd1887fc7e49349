"""The PROXY header, with which a proxy announces the client of a connection.

The format is that of https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt, versions 1 (a line of text) and 2
(binary).
"""

import ipaddress
import struct
from dataclasses import dataclass

V1_MAX_BYTES = 107  # with the line end, by the specification
V2_MAX_BYTES = 4096  # the specification allows 64 KiB; addresses and the usual extras need a few hundred
V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_V1_START = b"PROXY "
_V1_UNKNOWN = _V1_START + b"UNKNOWN"
_V2_FIXED_BYTES = 16
_LOCAL, _PROXIED = 0x20, 0x21  # version 2 in the upper half
_TCP4, _TCP6 = 0x11, 0x21


@dataclass(frozen=True, slots=True)
class Header:
    """A complete header."""

    length: int  # bytes
    source: tuple[str, int] | None  # address and port of the client; None: the proxy itself


def parse(data: bytes, versions: str) -> Header | None:
    """Read a header of the allowed versions (`v1`, `v2`, `any`) from the start of `data`; None while incomplete.

    Raises:
        ValueError: it cannot become a valid header.

    """
    if versions != "v1" and _may_start(data, V2_SIGNATURE):
        return _parse_v2(data)
    if versions != "v2" and _may_start(data, _V1_START):
        return _parse_v1(data)
    raise ValueError(f"no PROXY header {'v1 or v2' if versions == 'any' else versions}")


def _may_start(data: bytes, start: bytes) -> bool:
    return start.startswith(data[: len(start)])


def _parse_v1(data: bytes) -> Header | None:
    end = data.find(b"\r\n", 0, V1_MAX_BYTES)
    if end < 0:
        if len(data) >= V1_MAX_BYTES:
            raise ValueError(f"a PROXY header v1 longer than {V1_MAX_BYTES} bytes")
        return None
    length = end + 2
    if data.startswith(_V1_UNKNOWN):  # and anything after it
        return Header(length, None)
    fields = data[:end].decode("ascii", "replace").split(" ")
    if len(fields) != 6 or fields[1] not in {"TCP4", "TCP6"}:
        raise ValueError("a PROXY header v1 that is neither TCP4, TCP6 nor UNKNOWN")
    if "%" in fields[2] + fields[3]:  # Python would accept a zone, which can be any text
        raise ValueError("a PROXY header v1 with an address that has a zone")
    family = ipaddress.IPv4Address if fields[1] == "TCP4" else ipaddress.IPv6Address
    source, _ = family(fields[2]), family(fields[3])
    port, _ = _port(fields[4]), _port(fields[5])
    return Header(length, (_normal(source), port))


def _normal(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Return an IPv4-mapped IPv6 address as IPv4: a client has one address, however a proxy writes it."""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise ValueError(f"a PROXY header v1 with the port {text!r}")
    return int(text)


def _parse_v2(data: bytes) -> Header | None:
    if len(data) < _V2_FIXED_BYTES:
        return None
    command, family, rest = struct.unpack_from("!BBH", data, len(V2_SIGNATURE))
    length = _V2_FIXED_BYTES + rest
    if command not in {_LOCAL, _PROXIED}:
        raise ValueError(f"a PROXY header v2 with version and command {command:#04x}")
    if length > V2_MAX_BYTES:
        raise ValueError(f"a PROXY header v2 of {length} bytes, longer than {V2_MAX_BYTES}")
    if len(data) < length:
        return None
    if command == _LOCAL or family not in {_TCP4, _TCP6}:  # a receiver must ignore what it does not know
        return Header(length, None)
    form, address = ("!4s4sHH", ipaddress.IPv4Address) if family == _TCP4 else ("!16s16sHH", ipaddress.IPv6Address)
    if rest < struct.calcsize(form):
        raise ValueError("a PROXY header v2 too short for its addresses")
    source, _, port, _ = struct.unpack_from(form, data, _V2_FIXED_BYTES)
    return Header(length, (_normal(address(source)), port))
