"""Which sockets are ready, asked of the kernel for all of a worker's sockets at once."""

import asyncio
import os
import select
import time
from collections.abc import Callable
from typing import Protocol

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
PEER_ENDED = select.EPOLLRDHUP  # the peer has ended its side, seen without reading up to its end
# Handled in one go: a handler can take milliseconds, as a TLS handshake does, and the clock is not read in between.
MOST_EVENTS = 64
# Then the event loop's timers and signals have their turn, the heartbeat among them. Until then, where several sockets
# were ready there are mostly more by now, and to ask at once is cheaper than to be woken again.
TURN_SECONDS = 0.01


class Handler(Protocol):
    """Who owns a descriptor."""

    def ready(self, events: int, /) -> None:
        """Do what can be done now without waiting; `events` are those of epoll(7)."""


class Poller:
    """An epoll of the worker's own, nested in its event loop: an epoll descriptor can itself be waited for.

    Going through the event loop for each socket costs a handle, a context and two calls per chunk. This way it is woken
    once for all sockets that are ready, and each is then one call away.
    """

    def __init__(self, on_error: Callable[[Handler, Exception], None]) -> None:
        """Needs a running event loop; `on_error` is told what a handler raised, which is a bug."""
        self.now = time.monotonic()  # the clock of all time-outs: when what is now being handled was asked for
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._on_error = on_error
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self.poll)

    def watch(self, fd: int, handler: Handler, events: int = READABLE) -> None:
        """Begin to call `handler` while any of `events` is true of `fd`; errors and hang-ups always are."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler

    def rewatch(self, fd: int, events: int) -> None:
        """Wait for other events."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor that stays open."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def close_watched(self, fd: int) -> None:
        """Close a descriptor; the kernel's list of those watched loses it by itself."""
        del self._handlers[fd]
        os.close(fd)

    def poll(self) -> None:
        """Handle what is ready now."""
        handlers = self._handlers
        self.now = time.monotonic()
        turn_ends = self.now + TURN_SECONDS
        while True:
            ready = self._epoll.poll(0, MOST_EVENTS)
            for fd, events in ready:
                handler = handlers[fd]  # a handler closes no descriptor but its own, so it is still there
                try:
                    handler.ready(events)
                except Exception as error:  # noqa: BLE001 - one connection's bug is not to stop the others
                    self._on_error(handler, error)
            if len(ready) < 2:
                return
            self.now = time.monotonic()
            if self.now > turn_ends:
                return

    def close(self) -> None:
        """Watch nothing any more."""
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()
