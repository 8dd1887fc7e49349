"""A server inside the test, and clients of it."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from stentor_chassis.control.listeners import Listeners, UnixListener, bind_tcp
from stentor_chassis.counters.metrics import Metric
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_server.faults.fault import Fault, Faults
from stentor_server.guard.addresses import AddressCounts
from stentor_server.metrics import (
    ACCEPTED,
    CLOSED,
    FAULTS,
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
    unanswered_bytes,
)
from stentor_server.options import ServerOptions
from stentor_server.path.connection import Connection
from stentor_server.path.lane import BUFFER_BYTES
from stentor_server.server import Server
from unit.looping import Events, eventually
from unit.peer import Peer
from unit.server.tls_peer import TlsPeer

BACKLOG = 64
LOOPBACK = "127.0.0.1"
P = TypeVar("P", bound=Peer)
_OVERHEAD_BYTES = 4096  # of TLS, on a chunk or a handshake


def options(**changes: Any) -> ServerOptions:
    """Return options without any time-out or limit, except for `changes`."""
    plain: dict[str, Any] = {"max_connections": 1000, "drain_timeout_seconds": 5.0}
    return ServerOptions(**(plain | changes))


def _count(metric: Metric) -> Any:
    """Return a property: the count of one metric so far."""
    return property(lambda serving: serving.counters.totals([serving.row.tolist()])[SCHEMA.slot(metric)])


class Serving:
    """A server on a loopback port and a Unix socket; when the block ends, its accounts must balance to the last byte.

    A Unix socket holds at the peer all that was handed to the kernel, so there what was sent can be counted exactly.
    """

    accepted, received, sent, unsent = _count(ACCEPTED), _count(RECEIVED), _count(SENT), _count(UNSENT)
    waiting, pauses = _count(WRITE_BUFFER), _count(READ_PAUSES)
    address = property(lambda serving: serving._tcp.getsockname())
    path = property(lambda serving: serving._unix.getsockname())
    active = property(lambda serving: open_connections(serving.row))
    now = property(lambda serving: serving.server.lane.poller.now)  # the clock of its time-outs

    def __init__(
        self,
        counters: SharedCounters,
        events: Events,
        directory: Path,
        *,
        chunk: int = BUFFER_BYTES,
        send_buffer: int = 0,
        context: ssl.SSLContext | None = None,
        **changes: Any,
    ) -> None:
        """Serve in the first worker's row of `counters`, with the Unix socket in `directory`.

        The server reads up to `chunk` bytes at once; the kernel queues `send_buffer` bytes for a peer over TCP.
        """
        self.counters = counters
        self.row = counters.row(FIRST_WORKER)
        self.events = events
        self.options = options(**changes)
        self.counts: AddressCounts | None = None
        self._context = context  # for clients over TLS
        self._clients: list[Peer] = []
        self._drained = False
        self._closed_before = len(events.find("connection.closed"))
        self.bugs = 0  # that the test causes
        self._bugs_before = len(events.find("worker.exception"))
        ((self._tcp,),) = bind_tcp([LOOPBACK], 0, 1, BACKLOG)
        self._unix = UnixListener(str(directory / "exchange"), BACKLOG)
        self._doors = Listeners()
        self._doors.add_side_doors("stentor-test", 1)
        (self.side_door,) = self._doors.side_doors
        if send_buffer:
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)  # inherited by accepted sockets
        faults = Faults(self.options.fault, "seed") if self.options.fault else None
        self.server = Server(self.options, counters, self.row, events.logger, self._new_counts(), faults)
        if chunk != BUFFER_BYTES:
            self.server.lane = replace(self.server.lane, buffer=memoryview(bytearray(chunk)))

    def _new_counts(self) -> AddressCounts | None:
        if not self.options.max_connections_per_address:
            return None
        fd = AddressCounts.create(self.counters.rows, self.options.max_connections)
        self.counts = AddressCounts(fd, self.counters.rows, CONTROL)
        counts = AddressCounts(fd, self.counters.rows, FIRST_WORKER)
        os.close(fd)
        return counts

    async def __aenter__(self) -> Self:
        """Start."""
        side = socket.socket(fileno=os.dup(self._doors.of_worker(0)[0]))
        self.server.start([self._tcp, self._unix, side])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the clients, drain, and close the books."""
        for client in self._clients:
            client.connection.close()
        await self.drain()
        for listener in (self._tcp, self._unix, self._doors):
            with contextlib.suppress(OSError):
                listener.close()
        if kind is None:
            self.check()
            assert 0 == self.waiting == self.active
            closed = self.events.find("connection.closed")[self._closed_before :]
            assert self.accepted == len(closed)
            assert self.received == sum(event["received_bytes"] for event in closed)
            assert self.sent == sum(event["sent_bytes"] for event in closed)
            assert len(self.server.lane.poller._handlers) == 1  # of the event loop itself
            assert self.counts is None or self.counts[LOOPBACK] == 0
            assert self.bugs == len(self.events.find("worker.exception")) - self._bugs_before

    def connect_queued(self, path: str = "tcp", receive_buffer: int = 0, source: str = LOOPBACK) -> Peer:
        """Connect, over `tcp`, `unix` or the `side` door: the connection waits in the queue until the loop runs."""
        return self._keep(Peer(self._connected(path, receive_buffer, source)))

    def connect_tls_queued(self, tls: ssl.SSLContext, receive_buffer: int = 0) -> TlsPeer:
        """Connect, for a handshake that the test begins."""
        return self._keep(TlsPeer(self._connected("tcp", receive_buffer), tls))

    def _keep(self, client: P) -> P:
        self._clients.append(client)
        return client

    def _connected(self, path: str, receive_buffer: int, source: str = LOOPBACK) -> socket.socket:
        tcp = path == "tcp"
        connection = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX, socket.SOCK_STREAM)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if tcp:
            connection.bind((source, 0))
        connection.connect({"tcp": self.address, "unix": self.path, "side": self.side_door.replace("@", "\0")}[path])
        return connection

    async def connect(self, path: str = "tcp", receive_buffer: int = 0, source: str = LOOPBACK) -> Peer:
        """Connect, and wait until the server has accepted or rejected the connection, or the handshake is done."""
        if path == "tls":
            assert self._context is not None
            return await self.connect_tls(self._context)
        before = self.accepted + self.rejected()
        client = self.connect_queued(path, receive_buffer, source)
        await self.until(lambda: self.accepted + self.rejected() > before, "the connection to be accepted or rejected")
        return client

    async def connect_tls(self, tls: ssl.SSLContext, receive_buffer: int = 0) -> TlsPeer:
        """Connect, and do the handshake."""
        client = self.connect_tls_queued(tls, receive_buffer)
        await client.handshake()
        return client

    def connection(self, client: Peer) -> Connection:
        """Return the server's end of a client's connection."""
        name = client.connection.getsockname() or ()
        (found,) = (each for each in self.server.connections.values() if each.client == name)
        return found

    async def fill(self, client: Peer, pattern: Iterator[bytes]) -> bytes:
        """Send without reading until nothing moves any more; return what was sent, over TLS including `client.rest`."""
        sent = bytearray()
        pauses = self.pauses
        rest = b""
        while True:
            if not rest:
                sent += (block := next(pattern))
                rest = client.encoded(block)
            try:
                taken = client.connection.send(rest)
            except BlockingIOError:
                if self.pauses > pauses and self.at_rest():
                    break
                await asyncio.sleep(0)
                continue
            rest = rest[taken:]
        if isinstance(client, TlsPeer):
            client.rest = rest
            return bytes(sent)
        return bytes(sent[: len(sent) - len(rest)])

    async def overfill(self, client: Peer, pattern: Iterator[bytes]) -> bytes:
        """Send without reading until the server reads no more, and two blocks after that; return what was sent."""
        sent = bytearray()
        pauses = self.pauses
        more = 2
        while more:
            more -= self.pauses > pauses
            sent += (block := next(pattern))
            await client.send(block)
            await asyncio.sleep(0)  # lets the server run
        return bytes(sent)

    def at_rest(self) -> bool:
        """Return whether the server has nothing to do until something arrives."""
        return not self.server.lane.poller._epoll.poll(0)

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
        row, connections = self.row, self.server.connections
        assert unanswered_bytes(row) == self.waiting == sum(each.pending_bytes for each in connections.values())
        assert self.active == len(connections) == row[SCHEMA.slot(OPEN)] - len(self.server.prefaces)
        for each in self.server.connections.values():
            assert each.pending_bytes <= len(each._pending) <= BUFFER_BYTES + _OVERHEAD_BYTES

    def closed(self, reason: CloseReason) -> int:
        """Return how many connections ended for this reason."""
        return self.row[SCHEMA.slot(CLOSED, reason)]

    def rejected(self, reason: RejectReason | None = None) -> int:
        """Return how many connections were refused, for this or any reason."""
        return sum(self.row[SCHEMA.slot(REJECTED, each)] for each in RejectReason if reason in {None, each})

    def injected(self, fault: Fault) -> int:
        """Return how often a fault happened."""
        return self.row[SCHEMA.slot(FAULTS, fault)]


NewServing = Callable[..., Serving]
RunOnLoop = Callable[[Coroutine[Any, Any, None]], None]


def numbered(name: str, size: int = 1 << 14) -> Iterator[bytes]:
    """Yield blocks without end, each with a name and a number all over it: none can stand for another."""
    number = 0
    while True:
        mark = f"<{name} {number}>".encode()
        yield (mark * (size // len(mark) + 1))[:size]
        number += 1
