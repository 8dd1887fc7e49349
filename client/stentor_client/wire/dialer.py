"""Makes connections: resolve, connect, send the PROXY header, agree on TLS."""

import asyncio
import encodings.idna  # noqa: F401 - the first lookup would import it, and seem slow
import errno
import os
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from stentor_chassis.address import printable
from stentor_client.verify.outcomes import Outcome, Phase, of_connect_error
from stentor_client.wire.dial_record import DialError, DialRecord, Endpoint
from stentor_client.wire.lookup import look_up
from stentor_client.wire.proxy_header import proxy_header
from stentor_client.wire.race import first_to_connect
from stentor_client.wire.target import Target
from stentor_client.wire.tls import client_context

P = TypeVar("P", bound=asyncio.BaseProtocol)

OnUnused = Callable[[int, Outcome | None], object]

TLS_CLOSE_SECONDS = 1.0  # how long the peer has to end TLS after this side

# How a connection is lost while it is being prepared; the outcomes of a dial include some that a lost connection lacks.
_LOST_BY = {Outcome.TLS: Outcome.TLS, Outcome.CONNECT_TIMEOUT: Outcome.TIMEOUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """The options for dialing; plain data, because workers receive it as JSON."""

    target: str
    connect_timeout_seconds: float
    tls: bool = False
    tls_ca: str | None = None  # defaults to the authorities that the system trusts
    tls_cert: str | None = None
    tls_key: str | None = None  # defaults to the file of tls_cert
    tls_server_name: str | None = None  # defaults to the target's host
    proxy_protocol: str | None = None


class Dialer:
    """Makes connections to one target."""

    def __init__(
        self,
        options: DialOptions,
        on_unused: OnUnused = lambda _age, _lost_by: None,
        prepare: Callable[[socket.socket], object] = lambda _: None,
    ) -> None:
        """Read the certificates.

        `on_unused` is called for each connection that ended before it could be used, with its age in nanoseconds and
        what it was lost by, if it was: the server has accepted those too. `prepare` is called with each socket before
        it connects.

        Raises:
            Failure: a file cannot be used; the message says which, and why.

        """
        self.target = Target.parse(options.target)
        self._on_unused = on_unused
        self._prepare = prepare
        self._timeout = options.connect_timeout_seconds
        self._proxy_protocol = options.proxy_protocol
        name = options.tls_server_name or self.target.host.partition("%")[0] or "localhost"
        self._server_name = name.removesuffix(".")  # neither certificates nor SNI have the dot: RFC 6066, section 3
        self._tls = (
            client_context(options.tls_ca, options.tls_cert, options.tls_key, options.tls_server_name)
            if options.tls
            else None
        )

    async def dial(
        self, factory: Callable[[], P], endpoint: Endpoint | None = None, turn: int | None = None
    ) -> tuple[P, DialRecord]:
        """Connect to `endpoint`, or else to the target's endpoint that answers first.

        With a `turn`, which counts connections, each endpoint is tried first in turn.

        Raises:
            DialError: with `dns`, `refused`, `unreachable`, `connect_timeout`, `tls` or `reset`; the time-out covers
                all phases together.

        """
        record = DialRecord(self.target)
        phase, connected_at = Phase.RESOLVE, 0
        try:
            async with asyncio.timeout(self._timeout):
                endpoints = [endpoint] if endpoint else await self._resolve(record)
                if turn is not None:
                    endpoints = sorted(endpoints, key=str)  # a name server may answer in any order
                    endpoints = endpoints[turn % len(endpoints) :] + endpoints[: turn % len(endpoints)]
                phase = Phase.CONNECT
                connection = await self._connect_any(endpoints, record)
                phase, connected_at = Phase.TLS, time.perf_counter_ns()
                return await self._hand_over(connection, factory, record), record
        except DialError as failure:
            self._note_unused(failure, connected_at)
            raise
        except TimeoutError as error:
            late = self._timed_out(phase, record)
            self._note_unused(late, connected_at)
            raise late from error

    async def resolve(self) -> DialRecord:
        """Return the record of a lookup, with every endpoint of the target.

        Raises:
            DialError: with `dns`, or `connect_timeout` if there is no answer in time.

        """
        record = DialRecord(self.target)
        try:
            async with asyncio.timeout(self._timeout):
                await self._resolve(record)
        except TimeoutError as error:
            raise self._timed_out(Phase.RESOLVE, record) from error
        return record

    async def _resolve(self, record: DialRecord) -> list[Endpoint]:
        target = self.target
        if target.path:
            record.endpoints = [Endpoint(socket.AF_UNIX, target.path)]
        else:
            with record.timed(Phase.RESOLVE):
                found = await look_up(target.host, target.port)
            record.endpoints = [Endpoint(family, address) for family, _, _, _, address in found]
        return record.endpoints

    def _timed_out(self, phase: Phase, record: DialRecord) -> DialError:
        detail = f"{self.target}: no connection within {self._timeout:g} s"
        if phase is Phase.CONNECT and len(record.endpoints) > 1:
            reasons = dict.fromkeys(record.endpoints, "not tried yet")
            reasons |= {step.endpoint: step.error for step in record.steps if step.endpoint}
            detail += "".join(f"; {endpoint}: {reason}" for endpoint, reason in reasons.items())
        return DialError(Outcome.CONNECT_TIMEOUT, phase, detail, record)

    def _note_unused(self, failure: DialError, connected_at: int) -> None:
        if connected_at:
            lost_by = _LOST_BY.get(failure.outcome, Outcome.RESET)
            self._on_unused(time.perf_counter_ns() - connected_at, lost_by)

    async def _connect_any(self, endpoints: list[Endpoint], record: DialRecord) -> socket.socket:
        failures: tuple[DialError | ExceptionGroup[DialError], ...]
        try:
            if len(endpoints) == 1:  # needs no task
                return await self._connect(endpoints[0], record)
            return await first_to_connect(lambda endpoint: self._connect(endpoint, record), endpoints)
        except* DialError as group:
            failures = group.exceptions
        finally:
            record.end_attempts()
        failed = [cast("DialError", failure) for failure in failures]
        last, detail = failed[-1], "; ".join(failure.detail for failure in failed)
        shortage = next((failure.shortage for failure in failed if failure.shortage), None)
        raise DialError(last.outcome, last.phase, detail, record, shortage) from last

    async def _connect(self, endpoint: Endpoint, record: DialRecord) -> socket.socket:
        with record.timed(Phase.CONNECT, endpoint):
            begun = time.perf_counter_ns()
            connection = socket.socket(endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                self._prepare(connection)
                header = await self._complete_connect(connection, endpoint)
                if record.local:
                    raise asyncio.CancelledError  # noqa: TRY301 - another attempt has connected, in the same turn
                name = connection.getsockname()
            except BaseException as error:
                age = time.perf_counter_ns() - begun
                if isinstance(error, OSError) and of_connect_error(error, Phase.CONNECT) is Outcome.RESET:
                    self._on_unused(age, Outcome.RESET)
                elif isinstance(error, asyncio.CancelledError) and _is_connected(connection):
                    self._on_unused(age, None)
                connection.close()
                raise
            record.endpoint, record.proxy_header = endpoint, header
            record.local = printable(name if isinstance(name, tuple) else ())
        return connection

    async def _complete_connect(self, connection: socket.socket, endpoint: Endpoint) -> bytes:
        """Connect, and send a PROXY header if there is to be one; return it."""
        await connect(connection, endpoint)
        if not self._proxy_protocol:
            return b""
        header = proxy_header(self._proxy_protocol, connection)
        await asyncio.get_running_loop().sock_sendall(connection, header)
        return header

    async def _hand_over(self, connection: socket.socket, factory: Callable[[], P], record: DialRecord) -> P:
        """Give the connected socket to a protocol, after the TLS handshake if there is one."""
        loop = asyncio.get_running_loop()
        unix = connection.family == socket.AF_UNIX
        create: Callable[..., Any] = loop.create_unix_connection if unix else loop.create_connection
        if self._tls is None:
            with record.timed(Phase.CONNECT, record.endpoint):
                return cast("P", await _protocol_of(create(factory, sock=connection)))
        with record.timed(Phase.TLS, record.endpoint):
            _, protocol = await create(
                factory,
                sock=connection,
                ssl=self._tls,
                server_hostname=self._server_name,
                ssl_handshake_timeout=2 * self._timeout,  # ours expires first, and knows the outcome
                ssl_shutdown_timeout=TLS_CLOSE_SECONDS,
            )
            return cast("P", protocol)


async def _protocol_of(creation: Coroutine[Any, Any, tuple[asyncio.Transport, Any]]) -> Any:
    """Wait for the event loop to make a connection, and abort that if this is cancelled.

    If cancelled meanwhile, uvloop calls the protocol's `connection_made`, but never `connection_lost`.
    """
    task = asyncio.ensure_future(creation)
    try:
        _, protocol = await asyncio.shield(task)
    except asyncio.CancelledError:
        transport, _ = await task
        transport.abort()
        raise
    return protocol


async def connect(connection: socket.socket, endpoint: Endpoint) -> None:
    """Connect a non-blocking socket; uvloop's `sock_connect` would look the address up again, in a thread.

    Raises:
        OSError: as connect(2) does; also if TCP connected the socket to itself, as it does if nobody listens and the
            kernel happens to choose the target's port for this end.

    """
    error = connection.connect_ex(endpoint.address)
    if error == errno.EINPROGRESS:
        loop = asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(connection, writable.set)
        try:
            await writable.wait()
        finally:
            loop.remove_writer(connection)
        error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if not error and endpoint.family != socket.AF_UNIX and connection.getsockname() == connection.getpeername():
        error = errno.ECONNREFUSED
    if error == errno.EADDRNOTAVAIL and not _has_source(endpoint):
        error = errno.ENETUNREACH
    if error:
        raise OSError(error, os.strerror(error))


def _has_source(endpoint: Endpoint) -> bool:
    """Whether this machine has an address from which to reach it; if so, connect(2) found no port. Nothing is sent."""
    with socket.socket(endpoint.family, socket.SOCK_DGRAM) as other:
        return other.connect_ex(endpoint.address) != errno.EADDRNOTAVAIL


def _is_connected(connection: socket.socket) -> bool:
    try:
        connection.getpeername()
    except OSError:
        return False
    return True
