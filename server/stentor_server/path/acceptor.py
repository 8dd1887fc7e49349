"""Takes connections out of one listening socket's queue."""

import asyncio
import errno
import socket
from collections.abc import Callable
from os import set_blocking

from stentor_chassis.address import Address
from stentor_chassis.logs.log import Logger
from stentor_server.path.poller import Poller

BATCH = 64  # taken in one go, so that a storm of callers does not starve who is connected
PAUSE_SECONDS = 0.2
# What accept(2) says of the one caller that it took out of the queue. Anything else, such as to be out of descriptors,
# may be true of the next call as well, and to try again at once would be to spin.
_CALLER_GONE = {
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

Arrive = Callable[[int, Address], None]


class Acceptor:
    """Hands over every connection of one listener."""

    def __init__(self, listener: socket.socket, poller: Poller, arrive: Arrive, log: Logger) -> None:
        """`arrive(fd, address)` takes over each, a descriptor that does not block."""
        self._listener = listener
        self._local = listener.family == socket.AF_UNIX
        self._poller = poller
        self._arrive = arrive
        self._log = log
        self._resume: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        poller.watch(listener.fileno(), self)

    def ready(self, _events: int) -> None:
        """Take some connections."""
        for _ in range(BATCH):
            if not self._take():
                return

    def take_all(self, most: int) -> None:
        """Take what waits, `most` at the most."""
        while most and self._take():
            most -= 1

    def _take(self) -> bool:
        """Take one connection; return whether there may be more."""
        try:
            # accept() without the object that it makes around the descriptor, which takes longer than the system call.
            fd, address = self._listener._accept()  # type: ignore[attr-defined] # noqa: SLF001
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _CALLER_GONE:
                return True
            self._pause(error)
            return False
        set_blocking(fd, False)
        self._arrive(fd, () if self._local else address)
        return True

    def _pause(self, error: OSError) -> None:
        if self._resume is not None:  # a drain looks into the queue during a pause as well
            return
        self._poller.forget(self._listener.fileno())
        self._rest(error)

    def _rest(self, error: OSError) -> None:
        self._log.error("listener.paused", message=error.strerror, timeout_seconds=PAUSE_SECONDS)
        self._resume = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._go_on)

    def _go_on(self) -> None:
        self._resume = None
        try:
            self._poller.watch(self._listener.fileno(), self)
        except OSError as error:  # epoll has no room either
            self._rest(error)

    def close(self) -> None:
        """Take no more; the socket itself belongs to the control process."""
        if self._resume is not None:
            self._resume.cancel()
        else:
            self._poller.forget(self._listener.fileno())
        self._listener.close()
