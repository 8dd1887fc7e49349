"""What the kernel knows of a connection."""

import socket
import struct
from unittest.mock import Mock

from stentor_client.wire.tcp_info import TcpInfo


def test_connection() -> None:
    """A connection over loopback has a short round trip time, and sent nothing twice."""
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as listener,
        socket.create_connection(listener.getsockname()[:2]) as ours,
    ):
        theirs, _ = listener.accept()
        with theirs:
            ours.sendall(b"hello")
            theirs.sendall(theirs.recv(5, socket.MSG_WAITALL))
            assert ours.recv(5, socket.MSG_WAITALL) == b"hello"
            info = TcpInfo.of(ours)
    assert info is not None
    assert 0 < info.rtt_microseconds < 1_000_000
    assert info.retransmits == 0


def test_offsets() -> None:
    """The numbers are read from where linux/tcp.h has them: tcpi_rtt after 68 bytes, tcpi_total_retrans after 100."""
    info = bytearray(range(200))
    struct.pack_into("I", info, 68, 123_456)
    struct.pack_into("I", info, 100, 7)
    connection = Mock(family=socket.AF_INET)
    connection.getsockopt = lambda _level, _option, size: bytes(info[:size])
    assert TcpInfo(123_456, 7) == TcpInfo.of(connection)
