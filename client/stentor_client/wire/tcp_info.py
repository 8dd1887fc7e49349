"""The kernel's statistics of a TCP connection: `TCP_INFO` in tcp(7), and `struct tcp_info` in linux/tcp.h."""

import socket
import struct
from dataclasses import dataclass

_RTT = struct.Struct("68xI28xI")  # tcpi_rtt, then tcpi_total_retrans


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """Statistics of one connection."""

    rtt_microseconds: int  # smoothed
    retransmits: int  # segments sent again since the connection was made

    @classmethod
    def of(cls, connection: socket.socket) -> "TcpInfo | None":
        """Read them; None for a Unix socket."""
        if connection.family not in {socket.AF_INET, socket.AF_INET6}:
            return None
        return cls(*_RTT.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RTT.size)))
