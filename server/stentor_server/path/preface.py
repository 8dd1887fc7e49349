"""A connection from a proxy that has yet to say whose it is."""

import socket
import time
from os import read
from typing import TYPE_CHECKING

from stentor_chassis.address import Address
from stentor_server.metrics import RejectReason
from stentor_server.path.connection import borrowed_socket
from stentor_server.path.proxy_header import V2_MOST_BYTES, parse

if TYPE_CHECKING:
    from stentor_server.server import Server


class Preface:
    """Reads the PROXY header, and not a byte of what follows it: that is left in the kernel for the connection."""

    def __init__(self, server: "Server", fd: int, proxy: Address) -> None:
        """Wait for the header of `proxy`, which is trusted to send one."""
        self._server = server
        self._fd = fd
        self._proxy = proxy
        self._header = b""
        self.opened_at = time.monotonic()  # in a drain the poller's clock may be behind
        server.poller.watch(fd, self)

    @property
    def begun(self) -> bool:
        """Whether some of the header has come."""
        return len(self._header) > 0

    def ready(self, _events: int) -> None:
        """Read on, up to the end of the header."""
        try:
            with borrowed_socket(self._fd) as stream:
                seen = stream.recv(V2_MOST_BYTES, socket.MSG_PEEK)
            if not seen:
                self.reject("it ended before its PROXY header did")
                return
            header = parse(self._header + seen, self._server.options.proxy_protocol)
            rest = len(seen) if header is None else header.length - len(self._header)
            self._header += read(self._fd, rest)
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            self.reject(str(error))
            return
        if header is not None:
            self._server.poller.forget(self._fd)
            self._server.proxied(self, self._fd, header.source or self._proxy, self._proxy)

    def reject(self, error: str, reason: RejectReason = RejectReason.PROXY_PROTOCOL) -> None:
        """Close a connection whose header is wrong, or did not come in time."""
        self._server.poller.forget(self._fd)
        self._server.prefaces.discard(self)
        self._server.reject(self._fd, reason, self._proxy, error=error)
