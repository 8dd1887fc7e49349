"""The server's part of one worker: its listeners, its connections, their time-outs and their end."""

import asyncio
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from stentor_chassis.board import Board
from stentor_chassis.logs import Logger
from stentor_server.connection import Connection, Stage
from stentor_server.metrics import (
    ACCEPTED,
    CLOSED,
    DURATION,
    OPEN,
    REJECTED,
    SCHEMA,
    CloseReason,
    RejectReason,
)
from stentor_server.transform import TRANSFORMS

BUFFER_BYTES = 256 * 1024
SWEEP_SECONDS = 0.5
DRAIN_STEP_SECONDS = 0.02
QUIET_SECONDS = 0.1  # a peer that sent nothing for this long is between exchanges
LINGER_SECONDS = 0.25  # how long a peer has to end its side after the server ended its own


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What the command line says to every worker; plain data, for it travels as JSON."""

    transform: str
    backlog: int
    max_connections: int
    idle_timeout_seconds: float  # 0: never
    drain_timeout_seconds: float


class Server:
    """Serves connections from bound sockets until told to drain; needs a running uvloop."""

    def __init__(self, options: ServerOptions, board: Board, row: "memoryview[int]", log: Logger) -> None:
        """Count in `row`, and read the other rows of `board` for the limit that all workers share."""
        self.row = row
        self.log = log
        self.transform = TRANSFORMS[options.transform]
        self.connections: set[Connection] = set()
        self.now = time.monotonic()  # a coarse clock: as of the last sweep
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self._options = options
        self._open = board.column(SCHEMA.slot(OPEN))
        self._durations = SCHEMA.histogram(DURATION, row)
        self._drained = False
        self._listeners: Sequence[socket.socket] = ()
        self._listening: list[asyncio.Server] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    async def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accept from the sockets, which are bound and listen already."""
        loop = asyncio.get_running_loop()
        for listener in listeners:
            # Also for a Unix socket: create_unix_server() would remove its file, which is not this worker's to remove.
            listening = await loop.create_server(self._new_connection, sock=listener, backlog=self._options.backlog)
            self._listening.append(listening)
        self._listeners = listeners
        self._sweep()

    async def retire(self) -> None:
        """Accept no more, and return when the last connection has ended by itself; `drain` may cut this short."""
        await self._stop_accepting()
        while self.connections:
            self._empty.clear()
            await self._empty.wait()

    async def drain(self) -> None:
        """Accept no more, end every connection when it is between exchanges, and all of them by the deadline.

        A byte stream has no end of a message to wait for, so quiet stands for it: a peer from which nothing came for a
        moment, and which has read its answers, gets a FIN. Who never pauses gets it shortly before the deadline, after
        the answer to all that was received until then.
        """
        await self._stop_accepting()
        last_sweep, deadline = self.now, self._tick() + self._options.drain_timeout_seconds
        for connection in self.connections:
            if connection.active_at == last_sweep:  # some time since then: until now the clock was too coarse to tell
                connection.active_at = self.now
        while self.connections and self._tick() < deadline:
            hurry = deadline - self.now <= LINGER_SECONDS
            for connection in list(self.connections):
                self._usher_out(connection, hurry=hurry)
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        self._drained = True
        self._empty.clear()
        for connection in list(self.connections):
            connection.abort(CloseReason.DRAIN)
        if self.connections:
            await self._empty.wait()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _stop_accepting(self) -> None:
        """Take the connections that wait in the queues, and none after them; may be cancelled and called again."""
        await self._accept_waiting()
        for listening in self._listening:
            listening.close()
        self._listening, self._listeners = [], ()
        await asyncio.sleep(0)  # what was accepted last becomes a connection

    async def _accept_waiting(self) -> None:
        """Take the connections that wait in the queues, for a moment at the most: uvloop accepts one a turn."""
        deadline = time.monotonic() + QUIET_SECONDS
        queues = select.poll()
        for listener in self._listeners:
            queues.register(listener, select.POLLIN)
        while queues.poll(0) and time.monotonic() < deadline:  # noqa: ASYNC110 - each turn of the loop accepts one
            await asyncio.sleep(0)

    def rejection(self) -> RejectReason | None:
        """Return why a connection cannot be taken now, or nothing.

        The limit is on the sum over all workers, which each counts by itself: in the same instant every one of them
        may take the last place, so that it can be exceeded by at most the number of workers less one.
        """
        if self._drained:
            return RejectReason.DRAINING
        if sum(self._open) >= self._options.max_connections:
            return RejectReason.MAX_CONNECTIONS
        return None

    def reject(self, reason: RejectReason, peer: str) -> None:
        """Count and log a connection that was not taken."""
        self.row[SCHEMA.slot(REJECTED, reason)] += 1
        self.log.warning("connection.rejected", peer=peer, reason=reason)

    def forget(self, connection: Connection, reason: CloseReason, duration: int) -> None:
        """Count a connection that ended after `duration` nanoseconds."""
        self.connections.discard(connection)
        self._count_open()
        if not self.connections:
            self._empty.set()
        self.row[SCHEMA.slot(CLOSED, reason)] += 1
        self._durations.observe(duration)

    def admit(self, connection: Connection) -> None:
        """Count a connection that was taken."""
        self.connections.add(connection)
        self._count_open()
        self.row[SCHEMA.slot(ACCEPTED)] += 1

    def _count_open(self) -> None:
        self.row[SCHEMA.slot(OPEN)] = len(self.connections)

    def renew_buffer(self) -> None:
        """Leave the shared buffer to the transport that holds a view of it, and take a fresh one."""
        self.buffer = memoryview(bytearray(BUFFER_BYTES))

    def _new_connection(self) -> Connection:
        return Connection(self)

    def _tick(self) -> float:
        self.now = time.monotonic()
        return self.now

    def _sweep(self) -> None:
        """Look at every connection: one timer per worker, none per connection."""
        now = self._tick()
        idle = self._options.idle_timeout_seconds
        pause = min(SWEEP_SECONDS, idle / 4) if idle else SWEEP_SECONDS
        for connection in list(self.connections):
            if connection.waiting:
                connection.look()
            if idle and now - connection.active_at > idle + pause:  # by the coarse clock it may have been active later
                connection.abort(CloseReason.IDLE_TIMEOUT)
        self._sweeper = asyncio.get_running_loop().call_later(pause, self._sweep)

    def _usher_out(self, connection: Connection, *, hurry: bool) -> None:
        if connection.waiting:
            connection.look()
        if connection.stage is Stage.LEAVING:
            if self.now - connection.left_at > LINGER_SECONDS and not connection.waiting:
                connection.abort(CloseReason.DRAIN)
        elif hurry or (not connection.waiting and self.now - connection.active_at > QUIET_SECONDS):
            connection.leave()
