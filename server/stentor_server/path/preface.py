"""A connection from a proxy, before its PROXY header is complete."""

import socket
import time
from collections.abc import Callable
from os import read

from stentor_chassis.address import Address
from stentor_server.metrics import RejectReason
from stentor_server.path.connection import borrowed_socket
from stentor_server.path.poller import READABLE, Poller
from stentor_server.path.proxy_header import V2_MAX_BYTES, parse


class Preface:
    """Reads the PROXY header and not a byte more: the rest stays in the kernel for the connection."""

    def __init__(
        self,
        poller: Poller,
        fd: int,
        proxy: Address,
        versions: str,
        on_header: Callable[[int, Address, Address], None],
        on_reject: Callable[[int, RejectReason, Address, str], None],
    ) -> None:
        """Wait for a header of `versions` from a trusted proxy.

        Then call `on_header(fd, client, proxy)` or `on_reject(fd, reason, proxy, error)`, which take over the
        descriptor: it is still open, and no longer watched. Without a client, the proxy has ended the connection before
        its first byte, as a health check of a balancer does.
        """
        self._poller = poller
        self.fd = fd  # negative once it has been taken over
        self._proxy = proxy
        self._versions = versions
        self._on_header = on_header
        self._on_reject = on_reject
        self._header = b""
        self.opened_at = time.monotonic()  # in a drain the poller's clock may be behind
        poller.watch(fd, self)

    @property
    def started(self) -> bool:
        """Whether part of the header has arrived."""
        return len(self._header) > 0

    def ready(self, _events: int) -> None:
        """Read on, up to the end of the header."""
        try:
            with borrowed_socket(self.fd) as stream:
                seen = stream.recv(V2_MAX_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:  # a reset
            seen = b""
        if not seen and not self.started:
            self._on_header(self._release(), (), self._proxy)
            return
        if not seen:
            self.reject("the connection ended before its PROXY header was complete")
            return
        try:
            header = parse(self._header + seen, self._versions)
        except ValueError as error:
            self.reject(str(error))
            return
        self._header += read(self.fd, len(seen) if header is None else header.length - len(self._header))
        if header is not None:
            self._on_header(self._release(), header.source or self._proxy, self._proxy)

    def give_up(self, error: str, reason: RejectReason = RejectReason.PROXY_PROTOCOL) -> None:
        """Reject a connection whose header is late, unless the rest of it waits in the socket."""
        if self.fd >= 0:
            self.ready(READABLE)
        if self.fd >= 0:
            self.reject(error, reason)

    def reject(self, error: str, reason: RejectReason = RejectReason.PROXY_PROTOCOL) -> None:
        """Reject a connection whose header is wrong."""
        self._on_reject(self._release(), reason, self._proxy, error)

    def _release(self) -> int:
        fd, self.fd = self.fd, -1
        self._poller.forget(fd)
        return fd
