"""What the kernel knows of a connection."""

import socket
import struct
from unittest.mock import Mock

from stentor_client.wire.tcp_info import TcpInfo


def test_offsets() -> None:
    """The numbers are read from where linux/tcp.h has them: tcpi_rtt after 68 bytes, tcpi_total_retrans after 100."""
    info = bytearray(range(200))
    struct.pack_into("I", info, 68, 123_456)
    struct.pack_into("I", info, 100, 7)
    connection = Mock(family=socket.AF_INET)
    connection.getsockopt = lambda _level, _option, size: bytes(info[:size])
    assert TcpInfo(123_456, 7) == TcpInfo.of(connection)
