"""The server's part of one worker: its listeners, its connections, and their end."""

import asyncio
import socket
import time
from collections.abc import Sequence
from functools import partial
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
from stentor_server.path.poller import Handler, Poller
from stentor_server.path.preface import Preface
from stentor_server.path.tls import TlsConnection, tls_context
from stentor_server.path.transform import TRANSFORMS

_CLOSED = {reason: SCHEMA.slot(CLOSED, reason) for reason in CloseReason}
_OPEN = SCHEMA.slot(OPEN)

BUFFER_BYTES = 256 * 1024
# Two records, in one go. OpenSSL's buffers never shrink: what they once held, a connection keeps for its life.
TLS_BUFFER_BYTES = 32 * 1024
DRAIN_STEP_SECONDS = 0.02
QUIET_SECONDS = 0.1  # a peer that sent nothing for this long is between exchanges


class Server:
    """Serves connections from bound sockets until told to drain; needs a running event loop."""

    def __init__(
        self,
        options: ServerOptions,
        counters: SharedCounters,
        row: "memoryview[int]",
        log: Logger,
        addresses: AddressCounts | None = None,
        faults: Faults | None = None,
    ) -> None:
        """Count in `row`, and read the other rows of `counters` for the limit that all workers share."""
        self.options = options
        self.row = row
        self.log = log
        self.table = TRANSFORMS[options.transform]
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        self.buffers = [self.buffer]  # as readv() takes it
        self.tls_buffers = [self.buffer[:TLS_BUFFER_BYTES]]
        self.poller = Poller(self._failed)
        self.connections: set[Connection] = set()
        self.prefaces: set[Preface] = set()
        self._admission = Admission(options, counters.column(_OPEN), addresses)
        tls = tls_context(options)
        self._faults = faults
        self._plain = partial(FaultyConnection, faults) if faults is not None else Connection
        self._connection = partial(TlsConnection, tls) if tls is not None else self._plain
        self._proxies = Networks(options.proxy_from)
        self._timeouts = Timeouts(options)
        self._durations = SCHEMA.observer(DURATION, row)
        self._acceptors: list[Acceptor] = []
        self._empty = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None

    def start(self, listeners: Sequence[socket.socket]) -> None:
        """Accept from the sockets, which are bound and listen already."""
        for listener in listeners:
            self._acceptors.append(Acceptor(listener, self.poller, self._arrive, self.log))
        self._sweep()

    async def retire(self) -> None:
        """Accept no more, and return when the last connection has ended by itself; `drain` may cut this short."""
        self._stop_accepting()
        while self.connections or self.prefaces:
            self._empty.clear()
            await self._empty.wait()

    async def drain(self) -> None:
        """Accept no more, end every connection when it is between exchanges, and all of them by the deadline.

        A byte stream has no end of a message to wait for, so quiet stands for it: a peer from which nothing came for a
        moment, which has read its answers, and is not in the middle of a handshake, gets a FIN. Who never pauses gets
        it shortly before the deadline, after the answer to all that was received until then. A proxy that has not begun
        its header is as quiet as one between exchanges.
        """
        self._stop_accepting()
        deadline = asyncio.get_running_loop().time() + self.options.drain_timeout_seconds
        while (self.connections or self.prefaces) and (left := deadline - asyncio.get_running_loop().time()) > 0:
            self.poller.poll()
            for connection in list(self.connections):
                self._drain_one(connection, hurry=left <= LINGER_SECONDS)
            for preface in list(self.prefaces):
                if not preface.begun and self.poller.now - preface.opened_at > QUIET_SECONDS:
                    preface.reject("the server stops", RejectReason.DRAINING)
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        for preface in list(self.prefaces):
            preface.reject("the server stops", RejectReason.DRAINING)
        for connection in list(self.connections):
            connection.abort(CloseReason.DRAIN)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.poller.close()

    def _stop_accepting(self) -> None:
        """Take the connections that wait in the queues, and none after them."""
        for acceptor in self._acceptors:
            acceptor.take_all(self.options.max_connections)
            acceptor.close()
        self._acceptors.clear()

    def _drain_one(self, connection: Connection, *, hurry: bool) -> None:
        now = self.poller.now
        if connection.leaving_since:
            self._timeouts.enforce(connection, now)
        elif hurry or (not connection.engaged and now - connection.active_at > QUIET_SECONDS):
            connection.leave(CloseReason.DRAIN)

    def _arrive(self, fd: int, address: Address) -> None:
        """Let a connection in, or refuse it, as early and as cheaply as can be."""
        refusal = self._admission.refusal(len(self.connections) + len(self.prefaces))
        if refusal is not None:
            self.reject(fd, refusal, address)
        elif self._faults is not None and self._faults.refuses():
            self.row[SCHEMA.slot(FAULTS, Fault.REFUSE)] += 1
            self.log.debug("fault.injected", fault=Fault.REFUSE, peer=printable(address))
            reset_on_close(fd)
            self.reject(fd, RejectReason.FAULT, address)
        elif not address or self.options.proxy_protocol == "off":
            self._admit(fd, address)
        elif address[0] in self._proxies:
            self._await_header(fd, address)
        else:
            self.reject(fd, RejectReason.PROXY_PROTOCOL, address, error="not from a proxy that is trusted")

    def _await_header(self, fd: int, proxy: Address) -> None:
        try:
            preface = Preface(self, fd, proxy)
        except OSError as error:  # epoll has no room
            self.reject(fd, RejectReason.SERVER_ERROR, proxy, error=str(error))
            return
        self.prefaces.add(preface)
        self._count_open()

    def proxied(self, preface: Preface, fd: int, client: Address, proxy: Address) -> None:
        """Let a connection in whose proxy has said whose it is."""
        self.prefaces.discard(preface)
        self._admit(fd, client, proxy)

    def _admit(self, fd: int, client: Address, proxy: Address = ()) -> None:
        facts = {"proxy": printable(proxy)} if proxy else {}
        try:
            refusal = self._begin(fd, client, proxy)
        except Exception as error:  # whatever went wrong, the descriptor must not be lost
            if not isinstance(error, OSError):
                self.log.exception("worker.exception", exc_info=error)
            self.reject(fd, RejectReason.SERVER_ERROR, client, **facts, error=str(error))
        else:
            if refusal is not None:
                self.reject(fd, refusal, client, **facts)

    def _begin(self, fd: int, client: Address, proxy: Address) -> RejectReason | None:
        """Begin to serve, or return why not; where it raises, nothing has been counted."""
        if not client:  # who may open the Unix socket's file: no address to judge, and no network to guard from
            connection = self._plain(self, fd, client)
            self.poller.watch(fd, connection)
        else:
            refusal = self._admission.refusal_of(client[0])
            if refusal is not None:
                return refusal
            connection = self._connection(self, fd, client, proxy)
            self._admission.enter(client[0])
            try:
                self.poller.watch(fd, connection)
            except OSError:
                self._admission.leave(client[0])
                raise
        self.connections.add(connection)
        self._count_open()
        self.row[ACCEPTED_SLOT] += 1
        return None

    def reject(self, fd: int, reason: RejectReason, peer: Address, **facts: str) -> None:
        """Close, count and log a connection that was not taken."""
        close(fd)
        self._count_open()
        self.row[SCHEMA.slot(REJECTED, reason)] += 1
        self.log.warning("connection.rejected", peer=printable(peer), reason=reason, **facts)

    def forget(self, connection: Connection, reason: CloseReason, duration: int) -> None:
        """Count a connection that ended after `duration` nanoseconds."""
        self.connections.discard(connection)
        if connection.client:
            self._admission.leave(connection.client[0])
        self._count_open()
        self.row[_CLOSED[reason]] += 1
        self._durations.observe(duration)

    def _count_open(self) -> None:
        self.row[_OPEN] = count = len(self.connections) + len(self.prefaces)
        if not count:
            self._empty.set()

    def _sweep(self) -> None:
        """Look at every connection: one timer per worker, none per connection."""
        # First, so that nothing which goes wrong below can end all time-outs.
        self._sweeper = asyncio.get_running_loop().call_later(self._timeouts.sweep_seconds, self._sweep)
        now = self.poller.now = time.monotonic()
        for connection in list(self.connections):
            try:
                self._timeouts.enforce(connection, now)
            except Exception as error:  # noqa: BLE001 - one connection's bug is not to stop the others
                self._failed(connection, error)
        for preface in list(self.prefaces):
            if now - preface.opened_at > HANDSHAKE_SECONDS:
                preface.reject("its PROXY header did not come in time")

    def _failed(self, handler: Handler, error: Exception) -> None:
        """Log what a handler raised, a bug, and give up its connection alone."""
        self.log.error("worker.exception", exc_info=error)
        if isinstance(handler, Connection) and handler in self.connections:
            handler.abort(CloseReason.RESET)
        elif isinstance(handler, Preface) and handler in self.prefaces:
            handler.reject("an error within the server")
