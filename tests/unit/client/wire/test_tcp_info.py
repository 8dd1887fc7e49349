"""What the kernel knows of a connection."""

import socket
import struct

import pytest

from stentor_client.wire.tcp_info import TcpInfo


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connection(host: str) -> None:
    """A connection over loopback has a round trip time, which is short, and nothing was sent twice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family) as listener,
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


def test_unix_socket() -> None:
    """A Unix socket has nothing of the kind."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert TcpInfo.of(ours) is None


def test_places() -> None:
    """The numbers are read from where linux/tcp.h has them: tcpi_rtt after 68 bytes, tcpi_total_retrans after 100."""

    class Kernel:
        """A connection of which the kernel tells what the test wants."""

        family = socket.AF_INET

        def getsockopt(self, level: int, option: int, size: int) -> bytes:
            """Tell it."""
            assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
            told = bytearray(range(200))
            struct.pack_into("I", told, 68, 123_456)
            struct.pack_into("I", told, 100, 7)
            return bytes(told[:size])

    assert TcpInfo(123_456, 7) == TcpInfo.of(Kernel())  # type: ignore[arg-type]
