"""Accepts connections from one listening socket."""

import asyncio
import errno
import socket
from collections.abc import Callable
from os import set_blocking

from stentor_chassis.address import Address
from stentor_chassis.logs.log import Logger
from stentor_server.path.poller import Poller

BATCH = 64  # accepted at once, so that a storm of new connections does not starve those that are open
PAUSE_SECONDS = 0.2
# Errors of accept(2) that concern only the connection it removed from the queue. Any other, such as running out of
# descriptors, may persist, and an immediate retry would spin.
_CONNECTION_LOST = {
    errno.ECONNABORTED,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ENONET,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EPROTO,
}
OnAccept = Callable[[int, Address], None]


class Acceptor:
    """Passes on every connection of one listener."""

    def __init__(self, listener: socket.socket, poller: Poller, on_accept: OnAccept, log: Logger) -> None:
        """Pass each connection to `on_accept(fd, address)`, which takes over the non-blocking descriptor."""
        self._listener = listener
        self._local = listener.family == socket.AF_UNIX
        self._poller = poller
        self._on_accept = on_accept
        self._log = log
        self._timer: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        poller.watch(listener.fileno(), self)

    def ready(self, _events: int) -> None:
        """Accept a batch."""
        for _ in range(BATCH):
            if not self._accept():
                return

    def accept_queued(self, limit: int) -> None:
        """Accept what is queued, at most `limit` connections."""
        while limit and self._accept():
            limit -= 1

    def _accept(self) -> bool:
        """Accept one connection; return whether there may be more."""
        try:
            # socket.accept() also creates an object around the descriptor, which costs more than the system call.
            fd, address = self._listener._accept()  # type: ignore[attr-defined] # noqa: SLF001
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _CONNECTION_LOST:
                return True
            self._pause(error)
            return False
        set_blocking(fd, False)
        self._on_accept(fd, () if self._local else address)
        return True

    def _pause(self, error: OSError) -> None:
        if self._timer is not None:  # a drain also accepts during a pause
            return
        self._poller.forget(self._listener.fileno())
        self._resume_later(error)

    def _resume_later(self, error: OSError) -> None:
        self._log.error("listener.paused", message=error.strerror, timeout_seconds=PAUSE_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        self._timer = None
        try:
            self._poller.watch(self._listener.fileno(), self)
        except OSError as error:  # epoll(7) has reached its limit, too
            self._resume_later(error)

    def close(self) -> None:
        """Stop accepting; the control process keeps its own copy of the socket."""
        if self._timer is not None:
            self._timer.cancel()
        else:
            self._poller.forget(self._listener.fileno())
        self._listener.close()
