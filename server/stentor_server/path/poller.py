"""Waits for all of a worker's sockets at once, its event loop's included.

Its own epoll is measurably cheaper than an event loop's callback for each socket.
"""

import asyncio
import os
import select
import selectors
from asyncio import Handle, TimerHandle
from collections.abc import Callable
from contextvars import Context
from math import inf
from time import monotonic
from typing import Protocol, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
PEER_CLOSED = select.EPOLLRDHUP  # the peer sent its FIN, seen without reading up to it
# Handled between two readings of the clock: one handler can need milliseconds, as for a TLS handshake.
MAX_EVENTS = 64


class Handler(Protocol):
    """The owner of a descriptor."""

    def ready(self, events: int, /) -> None:
        """Do what can be done without waiting; `events` are those of epoll(7)."""


class Poller(selectors.EpollSelector):
    """The selector of a worker's event loop, which handles data sockets itself.

    Through the event loop, each chunk would cost a handle, a context and two calls. Here a socket's handler is one call
    away, and the event loop runs only when it has something to do: its own descriptors, which are in an epoll nested in
    this one, its timers, and what a handler asked it to call.
    """

    on_error: Callable[[Handler, Exception], None]  # what a handler raised, which is a bug; set before it watches any

    def __init__(self) -> None:
        """Watch only the descriptors of the event loop."""
        super().__init__()
        self.now = monotonic()  # the clock of all time-outs: when the current events were polled
        self.loop_has_work = False
        self._epoll = select.epoll()
        self._epoll.register(self.fileno(), READABLE)
        self._handlers: dict[int, Callable[[int], None]] = {self.fileno(): self._loop_is_ready}

    def watch(self, fd: int, handler: Handler, events: int = READABLE) -> None:
        """Call `handler` while `fd` has any of `events`; errors and hang-ups are always included."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler.ready

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

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Handle sockets until the event loop has something to do, or for `timeout` seconds; return what it waits for.

        A batch ends the wait if the time is over, so timers are as late as one batch takes.
        """
        now = monotonic()
        ends = inf if timeout is None else now + timeout
        self.loop_has_work = False
        while True:
            handled = self.poll(-1 if ends == inf else max(0, ends - now))
            now = self.now if handled < 2 else monotonic()
            if self.loop_has_work or now >= ends:
                return super().select(0)

    def poll(self, timeout: float = 0) -> int:
        """Handle a batch of what is ready; return how many events it had.

        If nothing is ready, wait for `timeout` seconds, or without end if it is -1.
        """
        ready = self._epoll.poll(timeout, MAX_EVENTS)
        self.now = monotonic()
        handlers = self._handlers
        for fd, events in ready:
            handle = handlers[fd]  # a handler closes no descriptor but its own, so it is still there
            try:
                handle(events)
            except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
                self.on_error(handle.__self__, error)  # type: ignore[attr-defined] # it is a bound method
        return len(ready)

    def close(self) -> None:
        """Stop watching."""
        self._epoll.close()
        super().close()

    def _loop_is_ready(self, _events: int) -> None:
        self.loop_has_work = True


class PollerLoop(asyncio.SelectorEventLoop):
    """An event loop whose selector is a `Poller`, which it interrupts when it has something to call."""

    def __init__(self) -> None:
        """Make the poller as well."""
        self.poller = Poller()
        super().__init__(self.poller)

    def call_soon(self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None) -> Handle:
        """Call `callback` in the next turn, which begins when the current batch has been handled."""
        self.poller.loop_has_work = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> TimerHandle:
        """Call `callback` at a time, which may be earlier than what `Poller.select` waits for."""
        self.poller.loop_has_work = True
        return super().call_at(when, callback, *args, context=context)


def running_poller() -> Poller:
    """Return the poller of the running event loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PollerLoop)  # noqa: S101 - for the type checker: workers run no other
    return loop.poller
