"""Waits for all of a worker's sockets at once.

Its own epoll is measurably cheaper than an event loop callback for each socket.
"""

import asyncio
import os
import select
import time
from collections.abc import Callable
from typing import Protocol

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
PEER_CLOSED = select.EPOLLRDHUP  # the peer sent its FIN, seen without reading up to it
# Handled between two readings of the clock: one handler can need milliseconds, as for a TLS handshake.
MAX_EVENTS = 64
# After this the event loop runs its timers and signals, such as the heartbeat. Until then, if several sockets were
# ready, more probably are by now, and polling again is cheaper than being woken again.
TURN_SECONDS = 0.01


class Handler(Protocol):
    """The owner of a descriptor."""

    def ready(self, events: int, /) -> None:
        """Do what can be done without waiting; `events` are those of epoll(7)."""


class Poller:
    """An epoll nested in the worker's event loop: an epoll descriptor can itself be waited for.

    Through the event loop, each chunk would cost a handle, a context and two calls. This way the loop is woken once for
    all sockets that are ready, and each of them is one call away.
    """

    def __init__(self, on_error: Callable[[Handler, Exception], None]) -> None:
        """Use the running event loop; `on_error` receives what a handler raises, which is a bug."""
        self.now = time.monotonic()  # the clock of all time-outs: when the current events were polled
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._on_error = on_error
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self.poll)

    def watch(self, fd: int, handler: Handler, events: int = READABLE) -> None:
        """Call `handler` while `fd` has any of `events`; errors and hang-ups are always included."""
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
        """Close a descriptor; the kernel removes it from the epoll."""
        del self._handlers[fd]
        os.close(fd)

    def poll(self) -> None:
        """Handle what is ready now."""
        handlers = self._handlers
        self.now = time.monotonic()
        turn_ends = self.now + TURN_SECONDS
        while True:
            ready = self._epoll.poll(0, MAX_EVENTS)
            for fd, events in ready:
                handler = handlers[fd]  # a handler closes no descriptor but its own, so it is still there
                try:
                    handler.ready(events)
                except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
                    self._on_error(handler, error)
            if len(ready) < 2:
                return
            self.now = time.monotonic()
            if self.now > turn_ends:
                return

    def close(self) -> None:
        """Stop watching."""
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        self._epoll.close()
