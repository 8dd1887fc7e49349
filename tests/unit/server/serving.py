"""A server inside the test, and callers of it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stentor_chassis.board import FIRST_WORKER, Board
from stentor_chassis.listeners import bind_tcp, bind_unix
from stentor_server.metrics import (
    ACCEPTED,
    CLOSED,
    OPEN,
    READ_PAUSES,
    RECEIVED,
    REJECTED,
    SCHEMA,
    SENT,
    UNSENT,
    WRITE_BUFFER,
    CloseReason,
    RejectReason,
    open_connections,
)
from stentor_server.server import Server, ServerOptions
from unit.looping import Events, eventually
from unit.peer import Peer

BACKLOG = 64


def options(**changes: Any) -> ServerOptions:
    """Return options that end nothing by themselves, but for what is changed."""
    plain: dict[str, Any] = {
        "transform": "upper",
        "backlog": BACKLOG,
        "max_connections": 1000,
        "idle_timeout_seconds": 0.0,
        "drain_timeout_seconds": 5.0,
    }
    return ServerOptions(**(plain | changes))


class Serving:
    """A server on a loopback port and a Unix socket; when the block ends, its accounts must balance to the last byte.

    A Unix socket holds at the peer all that was handed to the kernel, so there what was sent can be counted exactly.
    """

    def __init__(self, board: Board, events: Events, directory: Path, **changes: Any) -> None:
        """Serve in the first worker's row of `board`, with the Unix socket in `directory`."""
        self.board = board
        self.row = board.row(FIRST_WORKER)
        self.events = events
        self.options = options(**changes)
        self.server = Server(self.options, board, self.row, events.logger)
        ((self._tcp,),) = bind_tcp("127.0.0.1", 0, 1, BACKLOG)
        self._unix = bind_unix(str(directory / "exchange"), BACKLOG)
        self._callers: list[Peer] = []
        self._drained = False
        self._closed_before = len(events.find("connection.closed"))

    async def __aenter__(self) -> Self:
        """Start."""
        await self.server.start([self._tcp, self._unix])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the callers, drain, and close the books."""
        for caller in self._callers:
            caller.connection.close()
        await self.drain()
        for listener in (self._tcp, self._unix):
            with contextlib.suppress(OSError):
                listener.close()
        if kind is None:
            self.check()
            assert 0 == self.waiting == self.active
            closed = self.events.find("connection.closed")[self._closed_before :]
            assert self.accepted == len(closed)
            assert self.received == sum(event["received_bytes"] for event in closed)
            assert self.sent == sum(event["sent_bytes"] for event in closed)

    def knock(self, path: str = "tcp") -> Peer:
        """Connect, over `tcp` or `unix`: the connection waits in the queue until the loop runs."""
        listener = self._tcp if path == "tcp" else self._unix
        connection = socket.socket(listener.family, socket.SOCK_STREAM)
        connection.connect(listener.getsockname())
        self._callers.append(Peer(connection))
        return self._callers[-1]

    async def call(self, path: str = "tcp") -> Peer:
        """Connect, and wait until the server has taken or refused the connection."""
        before = self.accepted + self.rejected()
        caller = self.knock(path)
        await self.until(lambda: self.accepted + self.rejected() > before, "the connection to be taken or refused")
        return caller

    async def stuff(self, caller: Peer, pattern: Iterator[bytes]) -> bytes:
        """Send without reading until nothing moves any more; return what was sent."""
        sent = bytearray()
        pauses = self.pauses
        chunk = b""
        while True:
            chunk = chunk or next(pattern)
            try:
                taken = caller.connection.send(chunk)
            except BlockingIOError:
                if self.pauses > pauses:
                    return bytes(sent)
                await asyncio.sleep(0)
                continue
            sent += chunk[:taken]
            chunk = chunk[taken:]

    async def until(self, condition: Callable[[], Any], description: str) -> None:
        """Wait for a condition; the accounts must balance all the while."""

        def balanced_and_met() -> bool:
            self.check()
            return bool(condition())

        await eventually(balanced_and_met, description)

    async def drain(self) -> None:
        """Drain, once."""
        if not self._drained:
            self._drained = True
            await self.server.drain()

    def check(self) -> None:
        """Check that every byte and every connection is accounted for."""
        assert self.received == self.sent + self.unsent + self.waiting
        assert self.accepted == self.active + sum(self.row[SCHEMA.slots(CLOSED)])
        assert self.active == self.row[SCHEMA.slot(OPEN)] == len(self.server.connections)

    def closed(self, reason: CloseReason) -> int:
        """Return how many connections ended for this reason."""
        return self.row[SCHEMA.slot(CLOSED, reason)]

    def rejected(self, reason: RejectReason | None = None) -> int:
        """Return how many connections were refused, for this or any reason."""
        return sum(self.row[SCHEMA.slot(REJECTED, each)] for each in RejectReason if reason in {None, each})

    @property
    def active(self) -> int:
        """How many connections are open."""
        return open_connections(self.row)

    @property
    def accepted(self) -> int:
        """How many connections were taken."""
        return self.row[SCHEMA.slot(ACCEPTED)]

    @property
    def received(self) -> int:
        """How many bytes were read."""
        return self.row[SCHEMA.slot(RECEIVED)]

    @property
    def sent(self) -> int:
        """How many bytes were handed to the kernel."""
        return self.row[SCHEMA.slot(SENT)]

    @property
    def unsent(self) -> int:
        """How many bytes were never answered."""
        return self.row[SCHEMA.slot(UNSENT)]

    @property
    def waiting(self) -> int:
        """How many bytes wait in transports."""
        return self.row[SCHEMA.slot(WRITE_BUFFER)]

    @property
    def pauses(self) -> int:
        """How often reading paused."""
        return self.row[SCHEMA.slot(READ_PAUSES)]


def numbered(name: str, size: int = 1 << 14) -> Iterator[bytes]:
    """Yield blocks without end, each with a name and a number all over it: none can stand for another."""
    number = 0
    while True:
        mark = f"<{name} {number}>".encode()
        yield (mark * (size // len(mark) + 1))[:size]
        number += 1
