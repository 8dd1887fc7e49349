"""Waiting for sockets."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from stentor_server.path.poller import MAX_EVENTS, PEER_CLOSED, READABLE, WRITABLE, Handler, running_poller
from unit.looping import eventually


class Reader:
    """Reads what is ready, and keeps it with the events."""

    def __init__(self, connection: socket.socket, then: Callable[[], object] = lambda: None) -> None:
        """Read from `connection`, and `then` do something else."""
        self.calls: list[tuple[int, bytes]] = []
        self._connection = connection
        self._then = then

    def ready(self, events: int, /) -> None:
        """Read."""
        self.calls.append((events, self._connection.recv(64) if events & READABLE else b""))
        self._then()


class Wires:
    """A poller, and pairs of sockets."""

    def __init__(self) -> None:
        """Begin without a pair; needs a running loop."""
        self.errors: list[tuple[Handler, Exception]] = []
        self.poller = running_poller()
        self.poller.on_error = lambda handler, error: self.errors.append((handler, error))
        self.sockets: list[socket.socket] = []

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """Return two ends."""
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        self.sockets += ends
        return ends

    def readers(self, count: int, *then: Callable[[], object]) -> tuple[list[Reader], list[socket.socket]]:
        """Return so many watched readers, each of which does one of `then` as well, and the ends to write to."""
        pairs = [self.pair() for _ in range(count)]
        readers = [Reader(ours, *then[number : number + 1]) for number, (ours, _) in enumerate(pairs)]
        for (ours, _), reader in zip(pairs, readers, strict=True):
            self.poller.watch(ours.fileno(), reader)
        return readers, [theirs for _, theirs in pairs]


@pytest.fixture
async def wires() -> AsyncIterator[Wires]:
    """A poller without sockets."""
    wires = Wires()
    yield wires
    for each in wires.sockets:
        each.close()


async def test_ready_handlers_are_called(wires: Wires) -> None:
    """Each handler that has something to read is called, again if it has not read all, and no other is."""
    readers, ends = wires.readers(3)
    ends[0].send(b"first")
    ends[2].send(b"x" * 100)
    await eventually(lambda: readers[0].calls and len(readers[2].calls) == 2, "the calls")
    assert [reader.calls for reader in readers] == [
        [(READABLE, b"first")],
        [],
        [(READABLE, b"x" * 64), (READABLE, b"x" * 36)],
    ]
    assert wires.errors == []


async def test_rewatch(wires: Wires) -> None:
    """A handler that waits for other events is called for those only."""
    ours, theirs = wires.pair()
    reader = Reader(ours, lambda: wires.poller.rewatch(ours.fileno(), PEER_CLOSED))
    wires.poller.watch(ours.fileno(), reader)
    wires.poller.rewatch(ours.fileno(), WRITABLE)
    theirs.send(b"unread")
    await eventually(lambda: reader.calls, "the call")
    wires.poller.poll()
    assert reader.calls == [(WRITABLE, b"")]
    theirs.shutdown(socket.SHUT_WR)
    wires.poller.poll()
    assert reader.calls == [(WRITABLE, b""), (PEER_CLOSED, b"")]


async def test_error_of_one_handler(wires: Wires) -> None:
    """What a handler raises is reported with it, and the others are called all the same."""

    def fail() -> None:
        raise LookupError

    readers, ends = wires.readers(3, lambda: None, fail)
    for each in ends:
        each.send(b"to all")
    wires.poller.poll()
    assert [len(reader.calls) for reader in readers] == [1, 1, 1]
    ((handler, error),) = wires.errors
    assert handler is readers[1]
    assert isinstance(error, LookupError)


async def test_slow_handlers(wires: Wires) -> None:
    """However many are ready and however slow they are, a timer that is due runs after one batch."""
    readers, ends = wires.readers(3 * MAX_EVENTS, *[lambda: time.sleep(0.001)] * 3 * MAX_EVENTS)
    loop = asyncio.get_running_loop()
    called: list[int] = []
    loop.call_later(0.002, lambda: called.append(sum(len(reader.calls) for reader in readers)))
    for each in ends:
        each.send(b"x")
    await eventually(lambda: all(reader.calls for reader in readers), "all to be called")
    assert called == [MAX_EVENTS]


async def test_work_for_the_loop(wires: Wires) -> None:
    """What a handler asks the loop to do, soon or later, does not wait until nothing is ready any more."""
    ours, theirs = wires.pair()
    called = asyncio.Event()
    loop = asyncio.get_running_loop()
    wires.poller.watch(ours.fileno(), Reader(ours, partial(loop.call_later, 0, called.set)))
    theirs.send(b"x")
    await called.wait()  # nothing else would end the wait
    called.clear()
    wires.poller.forget(ours.fileno())
    wires.poller.watch(ours.fileno(), Reader(ours, partial(loop.call_soon, called.set)))
    theirs.send(b"x")
    await called.wait()
