"""Which sockets are ready."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from stentor_server.path import poller
from stentor_server.path.poller import PEER_CLOSED, READABLE, WRITABLE, Handler, Poller
from unit.looping import eventually


class Reader:
    """Reads what is ready, and keeps it with the events."""

    def __init__(self, connection: socket.socket, then: Callable[[], None] = lambda: None) -> None:
        """Read from `connection`, and `then` do something else."""
        self.heard: list[tuple[int, bytes]] = []
        self._connection = connection
        self._then = then

    def ready(self, events: int, /) -> None:
        """Read."""
        self.heard.append((events, self._connection.recv(64) if events & READABLE else b""))
        self._then()


class Wires:
    """A poller, and pairs of sockets."""

    def __init__(self) -> None:
        """Begin without a pair."""
        self.errors: list[tuple[Handler, Exception]] = []
        self.poller = Poller(lambda handler, error: self.errors.append((handler, error)))
        self.sockets: list[socket.socket] = []

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Return two ends."""
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        self.sockets += ends
        return ends


@contextmanager
def _wires() -> Iterator[Wires]:
    wires = Wires()
    try:
        yield wires
    finally:
        wires.poller.close()
        for each in wires.sockets:
            each.close()


async def test_calls_who_is_ready() -> None:
    """Whoever has something to read is called with it, each its own, and nobody else is."""
    with _wires() as wires:
        pairs = [wires.pair() for _ in range(3)]
        readers = [Reader(ours) for ours, _ in pairs]
        for (ours, _), reader in zip(pairs, readers, strict=True):
            wires.poller.watch(ours.fileno(), reader)
        pairs[0][1].send(b"first")
        pairs[2][1].send(b"third")
        await eventually(lambda: readers[0].heard and readers[2].heard, "both to be called")
        assert [reader.heard for reader in readers] == [[(READABLE, b"first")], [], [(READABLE, b"third")]]
        assert wires.errors == []


async def test_calls_again() -> None:
    """Who has not read all is called again."""
    with _wires() as wires:
        ours, theirs = wires.pair()
        reader = Reader(ours)
        wires.poller.watch(ours.fileno(), reader)
        theirs.send(b"x" * 100)
        await eventually(lambda: len(reader.heard) == 2, "the second call")
        assert [len(data) for _, data in reader.heard] == [64, 36]


async def test_rewatch() -> None:
    """Who waits for other events is called for those, and for the former no more."""
    with _wires() as wires:
        ours, theirs = wires.pair()
        reader = Reader(ours, lambda: wires.poller.rewatch(ours.fileno(), PEER_CLOSED))
        wires.poller.watch(ours.fileno(), reader)
        wires.poller.rewatch(ours.fileno(), WRITABLE)
        theirs.send(b"unheard")
        await eventually(lambda: reader.heard, "the call")
        wires.poller.poll()
        assert reader.heard == [(WRITABLE, b"")]
        theirs.shutdown(socket.SHUT_WR)
        wires.poller.poll()
        assert reader.heard == [(WRITABLE, b""), (PEER_CLOSED, b"")]


async def test_forget() -> None:
    """Who is forgotten is called no more, and its number can be another's."""
    with _wires() as wires:
        (first, theirs), (second, others) = wires.pair(), wires.pair()
        forgotten, reader = Reader(first), Reader(first)
        fd = first.fileno()
        wires.poller.watch(fd, forgotten)
        wires.poller.forget(fd)
        theirs.send(b"unheard")
        wires.poller.poll()
        assert forgotten.heard == []
        os.dup2(second.fileno(), fd)
        wires.poller.watch(fd, reader)
        others.send(b"heard")
        wires.poller.poll()
        assert (forgotten.heard, reader.heard) == ([], [(READABLE, b"heard")])


async def test_error_is_one_handlers() -> None:
    """What one handler raises is reported with it, and the others are called all the same."""
    with _wires() as wires:

        def fail() -> None:
            raise LookupError

        pairs = [wires.pair() for _ in range(3)]
        readers = [Reader(ours, fail if number == 1 else lambda: None) for number, (ours, _) in enumerate(pairs)]
        for (ours, theirs), reader in zip(pairs, readers, strict=True):
            wires.poller.watch(ours.fileno(), reader)
            theirs.send(b"to all")
        wires.poller.poll()
        assert [len(reader.heard) for reader in readers] == [1, 1, 1]
        ((handler, error),) = wires.errors
        assert handler is readers[1]
        assert isinstance(error, LookupError)


async def test_clock() -> None:
    """The clock is set whenever something is handled, and stands still meanwhile."""
    with _wires() as wires:
        assert wires.poller.now <= time.monotonic()
        ours, theirs = wires.pair()
        seen: list[float] = []
        wires.poller.watch(ours.fileno(), Reader(ours, lambda: seen.append(wires.poller.now)))
        theirs.send(b"tick")
        began = time.monotonic()
        wires.poller.poll()
        assert seen == [wires.poller.now]
        assert began <= wires.poller.now <= time.monotonic()


async def test_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """When more are ready than are handled in one go, the others follow, as long as that is quick."""
    monkeypatch.setattr(poller, "MAX_EVENTS", 5)
    monkeypatch.setattr(poller, "TURN_SECONDS", 60.0)
    with _wires() as wires:
        pairs = [wires.pair() for _ in range(20)]
        readers = [Reader(ours) for ours, _ in pairs]
        for (ours, theirs), reader in zip(pairs, readers, strict=True):
            wires.poller.watch(ours.fileno(), reader)
            theirs.send(b"x")
        wires.poller.poll()
        assert all(reader.heard for reader in readers)


async def test_slow_handlers_do_not_keep_the_loop() -> None:
    """However many are ready and however long each takes, the loop has its turn after one round, and all are called."""
    with _wires() as wires:
        pairs = [wires.pair() for _ in range(3 * poller.MAX_EVENTS)]
        slow = poller.TURN_SECONDS / 4
        readers = [Reader(ours, lambda: time.sleep(slow)) for ours, _ in pairs]
        for (ours, theirs), reader in zip(pairs, readers, strict=True):
            wires.poller.watch(ours.fileno(), reader)
            theirs.send(b"x")
        wires.poller.poll()
        assert sum(map(len, (reader.heard for reader in readers))) == poller.MAX_EVENTS
        await eventually(lambda: all(reader.heard for reader in readers), "all to be called")


async def test_close() -> None:
    """Closed, it calls nobody, and the loop does not wait for it."""
    with _wires() as wires:
        other = Wires()
        ours, theirs = wires.pair()
        reader = Reader(ours)
        other.poller.watch(ours.fileno(), reader)
        epoll = other.poller._epoll.fileno()
        other.poller.close()
        theirs.send(b"unheard")
        for _ in range(3):
            await asyncio.sleep(0)
        assert reader.heard == []
        assert not asyncio.get_running_loop().remove_reader(epoll)
