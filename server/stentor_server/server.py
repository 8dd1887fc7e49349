"""The server's part of one worker: its listeners, its connections, and how they end."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from os import close

from stentor_chassis.address import Address, printable
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_chassis.logs.log import Logger
from stentor_server.faults.fault import Fault, Faults
from stentor_server.faults.faulty import FaultyConnection
from stentor_server.guard.addresses import AddressCounts
from stentor_server.guard.admission import Admission, Networks
from stentor_server.guard.timeouts import HANDSHAKE_SECONDS, LINGER_SECONDS, Timeouts
from stentor_server.metrics import (
    ACCEPTED_SLOT,
    CLOSED,
    DURATION,
    FAULTS,
    OPEN,
    REJECTED,
    SCHEMA,
    CloseReason,
    RejectReason,
)
from stentor_server.options import ServerOptions
from stentor_server.path.acceptor import Acceptor
from stentor_server.path.connection import Connection, reset_on_close
from stentor_server.path.lane import Lane
from stentor_server.path.poller import Handler, running_poller
from stentor_server.path.preface import Preface
from stentor_server.path.side_door import SideDoor
from stentor_server.path.tls import TlsConnection, tls_context
from stentor_server.path.transform import TRANSFORMS

_CLOSED = {reason: SCHEMA.slot(CLOSED, reason) for reason in CloseReason}
_OPEN = SCHEMA.slot(OPEN)

DRAIN_STEP_SECONDS = 0.02
QUIET_SECONDS = 0.1  # a peer that sent nothing for this long is between exchanges
SWEEP_SLICE = 500  # connections judged in one turn of the event loop, in a fraction of a millisecond
STOPPED_SECONDS = 1.0  # a sweep that is later than this was held up by a stopped process


class Server:
    """Serves connections from bound sockets until it retires or drains; needs a running `PollerLoop`."""

    def __init__(
        self,
        options: ServerOptions,
        counters: SharedCounters,
        row: "memoryview[int]",
        log: Logger,
        addresses: AddressCounts | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Count in `row`; the other rows of `counters` are read for the limit that all workers share."""
        self._options = options
        self._row = row
        self._log = log
        self._poller = running_poller()
        self._poller.on_error = self._on_bug
        self.lane = Lane(row, self._poller, log, TRANSFORMS[options.transform], self._forget)
        self.connections: dict[int, Connection] = {}  # by descriptor
        self.prefaces: dict[int, Preface] = {}
        self.side_door = SideDoor(row, self.lane)
        self._admission = Admission(options, counters.column(_OPEN), addresses)
        self._faults = faults
        self._plain = partial(FaultyConnection, faults) if faults is not None else Connection
        tls = tls_context(options)
        self._connection = partial(TlsConnection, tls) if tls is not None else self._plain
        self._proxies = Networks(options.proxy_from)
        self._timeouts = Timeouts(options)
        self._durations = SCHEMA.observer(DURATION, row)
        self._acceptors: list[Acceptor] = []
        self._empty = asyncio.Event()
        self._sweeper: asyncio.Handle | None = None

    def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accept connections from sockets that are already listening."""
        for each in listeners:
            side = isinstance(each.getsockname(), bytes)  # the name of an abstract Unix socket
            on_accept = self.side_door.admit if side else self._on_accept
            self._acceptors.append(Acceptor(each, self._poller, on_accept, self._log))
        self.sweep(time.monotonic())

    async def retire(self) -> None:
        """Return when the last connection has ended on its own; `drain` can cut this short."""
        self.stop_accepting()
        while self.connections or self.prefaces:
            self._empty.clear()
            await self._empty.wait()

    async def drain(self) -> None:
        """Stop accepting, end each connection between two exchanges, and all of them by the deadline.

        A byte stream does not show where a message ends, so the server waits for quiet: a peer that sent nothing for a
        moment, has read its answers and is not in a handshake gets a FIN. A peer that never pauses gets it shortly
        before the deadline, after the answers to everything received until then. A proxy that has not started its
        header is quiet, too.
        """
        self.stop_accepting()
        now = asyncio.get_running_loop().time
        deadline = now() + self._options.drain_timeout_seconds
        while (self._served() or self.prefaces) and (left := deadline - now()) > 0:
            self._poller.poll()
            for connection in self._served():
                self._drain_one(connection, hurry=left <= LINGER_SECONDS)
            for preface in [*self.prefaces.values()]:
                if not preface.started and self._poller.now - preface.opened_at > QUIET_SECONDS:
                    preface.give_up("the server is stopping", RejectReason.DRAINING)
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        self._poller.now = time.monotonic()
        for preface in [*self.prefaces.values()]:
            preface.give_up("the server is stopping", RejectReason.DRAINING)
        for connection in self._served():
            if connection.catch_up():
                connection.abort(CloseReason.DRAIN)
        if self._sweeper is not None:
            self._sweeper.cancel()

    def stop_accepting(self) -> None:
        """Accept the connections that are queued, and none after them."""
        for acceptor in self._acceptors:
            acceptor.accept_queued(self._options.max_connections)
            acceptor.close()
        self._acceptors.clear()

    def _served(self) -> list[Connection]:
        return [*self.connections.values(), *self.side_door.checks.values()]

    def _drain_one(self, connection: Connection, *, hurry: bool) -> None:
        def due() -> bool:
            return hurry or (not connection.busy and self._poller.now - connection.active_at > QUIET_SECONDS)

        if connection.closing_since:
            self._timeouts.enforce(connection, self._poller.now)
        elif due() and connection.catch_up() and due():
            connection.finish(CloseReason.DRAIN)

    def _on_accept(self, fd: int, address: Address) -> None:
        """Admit a connection or reject it, as early and as cheaply as possible."""
        refusal = self._admission.refusal(len(self.connections) + len(self.prefaces))
        if refusal is not None:
            self._reject(fd, refusal, address)
        elif self._faults is not None and self._faults.refuses():
            self._row[SCHEMA.slot(FAULTS, Fault.REFUSE)] += 1
            self._log.debug("fault.injected", fault=Fault.REFUSE, peer=printable(address))
            reset_on_close(fd)
            self._reject(fd, RejectReason.FAULT, address)
        elif not address or self._options.proxy_protocol == "off":
            self._admit(fd, address)
        elif address[0] not in self._proxies:
            self._reject(fd, RejectReason.PROXY_PROTOCOL, address, error="not from a trusted proxy")
        else:
            self._await_header(fd, address)

    def _await_header(self, fd: int, proxy: Address) -> None:
        versions = self._options.proxy_protocol
        try:
            self.prefaces[fd] = Preface(self._poller, fd, proxy, versions, self._on_header, self._on_bad_header)
        except OSError as error:  # epoll(7) has reached its limit
            self._reject(fd, RejectReason.SERVER_ERROR, proxy, error=str(error.strerror))
        else:
            self._count_open()

    def _on_header(self, fd: int, client: Address, proxy: Address) -> None:
        del self.prefaces[fd]
        self._admit(fd, client, proxy)

    def _on_bad_header(self, fd: int, reason: RejectReason, proxy: Address, error: str) -> None:
        del self.prefaces[fd]
        self._reject(fd, reason, proxy, error=error)

    def _admit(self, fd: int, client: Address, proxy: Address = ()) -> None:
        fields = {"proxy": printable(proxy)} if proxy else {}
        try:
            refusal = self._serve(fd, client, proxy)
        except Exception as error:  # noqa: BLE001 - whatever it is, the descriptor must not leak
            if not isinstance(error, OSError):
                self._log.error("worker.exception", exc_info=error)
            refusal = RejectReason.SERVER_ERROR
            fields["error"] = getattr(error, "strerror", None) or "internal error"
        if refusal is not None:
            self._reject(fd, refusal, client, **fields)

    def _serve(self, fd: int, client: Address, proxy: Address) -> RejectReason | None:
        """Start to serve, or return why not; if this raises, nothing has been counted."""
        refusal = self._admission.refusal_of(client)
        if refusal is not None:
            return refusal
        make = self._connection if client else self._plain  # a Unix socket needs no TLS, nor does a proxy's check
        connection = make(self.lane, fd, client or proxy, proxy if client else ())
        client = connection.client
        self._admission.add(client)
        try:
            self._poller.watch(fd, connection)
        except OSError:
            self._admission.remove(client)
            raise
        self.connections[fd] = connection
        self._count_open()
        self._row[ACCEPTED_SLOT] += 1
        return None

    def _reject(self, fd: int, reason: RejectReason, peer: Address, **fields: str) -> None:
        """Close, count and log a connection that is not served."""
        close(fd)
        self._count_open()
        self._row[SCHEMA.slot(REJECTED, reason)] += 1
        self._log.warning("connection.rejected", peer=printable(peer), reason=reason, **fields)

    def _forget(self, fd: int, client: Address, reason: CloseReason, duration: int) -> None:
        """Count a connection that closed after `duration` nanoseconds."""
        del self.connections[fd]
        self._admission.remove(client)
        self._count_open()
        self._row[_CLOSED[reason]] += 1
        self._durations.observe(duration)

    def _count_open(self) -> None:
        self._row[_OPEN] = count = len(self.connections) + len(self.prefaces)
        if not count:
            self._empty.set()

    def sweep(self, due: float) -> None:
        """Enforce the time-outs of every connection, and again later: one timer per worker, none per connection."""
        now = self._poller.now = time.monotonic()
        late = now - due
        for connection in self.connections.values() if late > STOPPED_SECONDS else ():
            if connection.peer_closed_at:  # its peer could read nothing while this process was stopped
                connection.peer_closed_at += late
        self.side_door.sweep(now)
        self._sweep_slice(iter([*self.prefaces.values(), *self.connections.values()]))

    def _sweep_slice(self, handlers: Iterator[Preface | Connection]) -> None:
        """Judge some of them, and the others in the next turns of the event loop."""
        part = [*islice(handlers, SWEEP_SLICE)]
        loop, now = asyncio.get_running_loop(), time.monotonic()
        # First, so that no error below can end the sweeps.
        if self._sweeper is not None:
            self._sweeper.cancel()
        if part:
            self._sweeper = loop.call_soon(self._sweep_slice, handlers)
        else:
            interval = self._timeouts.sweep_seconds
            self._sweeper = loop.call_later(interval, self.sweep, now + interval)
        self._poller.now = now
        for each in part:
            try:
                if isinstance(each, Preface):
                    if now - each.opened_at > HANDSHAKE_SECONDS:
                        each.give_up("no complete PROXY header in time")
                elif each.fd >= 0:  # not closed since the sweep began
                    self._timeouts.enforce(each, now)
            except Exception as error:  # noqa: BLE001 - a bug in one connection must not stop the others
                self._on_bug(each, error)

    def _on_bug(self, handler: Handler, error: Exception) -> None:
        """Log what a handler raised, and close its connection."""
        self._log.error("worker.exception", exc_info=error)
        if isinstance(handler, Connection) and handler in self._served():
            handler.abort(CloseReason.RESET)
        elif isinstance(handler, Preface) and handler in self.prefaces.values():
            handler.reject("internal error")
