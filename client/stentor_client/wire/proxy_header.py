"""The PROXY header that a proxy in front of the server would send; not worth a dependency at this size.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

import socket
import struct

VERSIONS = ("v1", "v2")

_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_VERSION_AND_PROXY = 0x21
_FAMILIES = {socket.AF_INET: (0x11, "TCP4"), socket.AF_INET6: (0x21, "TCP6")}  # both over TCP
_UNSPECIFIED = 0x00


def proxy_header(version: str, connection: socket.socket) -> bytes:
    """Return the header with this connection's own two addresses; for a Unix socket, the one for unknown addresses."""
    family = connection.family
    if family not in _FAMILIES:
        if version == "v1":
            return b"PROXY UNKNOWN\r\n"
        return _SIGNATURE + struct.pack("!BBH", _VERSION_AND_PROXY, _UNSPECIFIED, 0)
    code, name = _FAMILIES[family]
    (source, source_port, *_), (destination, destination_port, *_) = connection.getsockname(), connection.getpeername()
    source, destination = source.partition("%")[0], destination.partition("%")[0]
    if version == "v1":
        return f"PROXY {name} {source} {destination} {source_port} {destination_port}\r\n".encode()
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    ends += struct.pack("!HH", source_port, destination_port)
    return _SIGNATURE + struct.pack("!BBH", _VERSION_AND_PROXY, code, len(ends)) + ends
