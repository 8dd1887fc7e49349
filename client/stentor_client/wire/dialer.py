"""The way to a connection: resolve, connect, announce, agree on TLS."""

import asyncio
import contextlib
import encodings.idna  # noqa: F401 - else the first lookup would import it, and be taken for a slow one
import errno
import os
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from stentor_chassis.address import printable
from stentor_chassis.failure import USAGE, Failure
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase, of_connect_error
from stentor_client.wire.lookup import look_up
from stentor_client.wire.proxy_header import proxy_header
from stentor_client.wire.target import Target

P = TypeVar("P", bound=asyncio.BaseProtocol)

OnCut = Callable[[Outcome, int], object]

TLS_CLOSE_SECONDS = 1.0  # how long the peer has to end TLS after this side has

# By what a connection is lost that was made, and is of no use: of the outcomes that an exchange has then.
_CUT_BY = {Outcome.TLS: Outcome.TLS, Outcome.CONNECT_TIMEOUT: Outcome.TIMEOUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class DialOptions:
    """What the command line says of the way; plain data, for it travels as JSON."""

    target: str
    connect_timeout_seconds: float
    tls: bool = False
    tls_ca: str | None = None  # else those that the system trusts
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_server_name: str | None = None  # else the target's host
    proxy_protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that a name resolved to."""

    family: int
    address: Any  # as connect(2) takes it

    def __str__(self) -> str:
        """Return it for people."""
        return f"unix:{self.address}" if self.family == socket.AF_UNIX else printable(self.address)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a way, between two moments of the performance counter."""

    phase: Phase
    begun: int
    ended: int
    endpoint: Endpoint | None  # the one tried
    error: str  # what went wrong, for people; empty where nothing did, or where the time for it was over


@dataclass(slots=True)
class DialRecord:
    """How a connection came to be: how long each phase took, in nanoseconds, and between whom it is."""

    target: Target
    durations: dict[Phase, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)  # one for each endpoint that was tried
    endpoints: list[Endpoint] = field(default_factory=list)  # what the name resolved to
    endpoint: Endpoint | None = None  # the one tried last
    local: str = ""
    announced: bytes = b""  # the PROXY header

    @contextlib.contextmanager
    def timed(self, phase: Phase) -> Iterator[None]:
        """Time a phase; what goes wrong in it is told with it."""
        reason = ""
        begun = time.perf_counter_ns()
        try:
            yield
        except (OSError, UnicodeError) as error:
            reason = plain(error)
            detail = f"{self.endpoint or self.target}: {reason}"
            raise ExchangeError(of_connect_error(error, phase), phase, detail) from error
        finally:
            ended = time.perf_counter_ns()
            self.durations[phase] = self.durations.get(phase, 0) + ended - begun
            self.steps.append(Step(phase, begun, ended, self.endpoint, reason))


class Dialer:
    """Makes connections to one target."""

    def __init__(self, options: DialOptions, on_cut: OnCut = lambda _outcome, _age: None) -> None:
        """Read the certificates.

        `on_cut` is told of each connection that was made and lost before it could be used: by what, and after how many
        nanoseconds. The server has accepted those too.

        Raises:
            Failure: in one line, which file cannot be used, and why.

        """
        self._on_cut = on_cut
        self.target = Target.parse(options.target)
        self._timeout = options.connect_timeout_seconds
        self._proxy_protocol = options.proxy_protocol
        self._tls = _tls_context(options) if options.tls else None
        self._server_name = options.tls_server_name or self.target.host.partition("%")[0] or "localhost"

    async def dial(
        self, new: Callable[[], P], endpoint: Endpoint | None = None, record: DialRecord | None = None
    ) -> tuple[P, DialRecord]:
        """Connect to `endpoint`, or else to the first of the target's endpoints that takes the connection.

        A `record` that is given is filled as far as it goes, also where it ends with an error.

        Raises:
            ExchangeError: with `dns`, `refused`, `unreachable`, `connect_timeout`, `tls` or `reset`; the time-out is
                for all of it together.

        """
        record = record or DialRecord(self.target)
        phase, made_at = Phase.RESOLVE, 0
        try:
            async with asyncio.timeout(self._timeout):
                endpoints = [endpoint] if endpoint else await self.resolve(record)
                phase = Phase.CONNECT
                connection = await self._connect_first(endpoints, record)
                phase, made_at = Phase.TLS, time.perf_counter_ns()
                return await self._hand_over(connection, new, record), record
        except ExchangeError as failure:
            self._note_cut(failure, made_at)
            raise
        except TimeoutError as error:
            late = self._late(phase)
            self._note_cut(late, made_at)
            raise late from error

    def _note_cut(self, failure: ExchangeError, made_at: int) -> None:
        if made_at:
            self._on_cut(_CUT_BY.get(failure.outcome, Outcome.RESET), time.perf_counter_ns() - made_at)

    async def resolve(self, record: DialRecord) -> list[Endpoint]:
        """Return the target's addresses, in the order in which the system would try them."""
        target = self.target
        if target.path:
            return [Endpoint(socket.AF_UNIX, target.path)]
        with record.timed(Phase.RESOLVE):
            found = await look_up(target.host, target.port)
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
        record.endpoints = [Endpoint(family, address) for family, _, _, _, address in found]
        return record.endpoints

    async def resolve_in_time(self, record: DialRecord) -> list[Endpoint]:
        """Return the target's addresses, or raise `ExchangeError`, with `dns` or after the time-out."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self.resolve(record)
        except TimeoutError as error:
            raise self._late(Phase.RESOLVE) from error

    def _late(self, phase: Phase) -> ExchangeError:
        return ExchangeError(Outcome.CONNECT_TIMEOUT, phase, f"{self.target}: no connection within {self._timeout:g} s")

    async def _connect_first(self, endpoints: list[Endpoint], record: DialRecord) -> socket.socket:
        failure: ExchangeError | None = None
        for endpoint in endpoints:
            record.endpoint = endpoint
            try:
                with record.timed(Phase.CONNECT):
                    return await self._connect(endpoint, record)
            except ExchangeError as error:
                failure = error
        assert failure is not None  # noqa: S101 - nothing was tried only where there was nothing to try
        raise failure

    async def _connect(self, endpoint: Endpoint, record: DialRecord) -> socket.socket:
        loop = asyncio.get_running_loop()
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        begun = time.perf_counter_ns()
        try:
            await _complete_connect(connection, endpoint)
            _refuse_self(connection)
            if self._proxy_protocol:
                record.announced = proxy_header(self._proxy_protocol, connection)
                await loop.sock_sendall(connection, record.announced)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError) and of_connect_error(error, Phase.CONNECT) is Outcome.RESET:
                self._on_cut(Outcome.RESET, time.perf_counter_ns() - begun)
            raise
        return connection

    async def _hand_over(self, connection: socket.socket, new: Callable[[], P], record: DialRecord) -> P:
        """Give the connected socket to a protocol, after TLS where that is wanted."""
        loop = asyncio.get_running_loop()
        name = connection.getsockname()
        record.local = printable(name if isinstance(name, tuple) else ())
        unix = connection.family == socket.AF_UNIX
        create: Callable[..., Any] = loop.create_unix_connection if unix else loop.create_connection
        if self._tls is None:
            with record.timed(Phase.CONNECT):
                return cast("P", await _settled(create(new, sock=connection)))
        with record.timed(Phase.TLS):
            _, made = await create(
                new,
                sock=connection,
                ssl=self._tls,
                server_hostname=self._server_name,
                ssl_handshake_timeout=2 * self._timeout,  # our own comes first, and says what it is
                ssl_shutdown_timeout=TLS_CLOSE_SECONDS,
            )
            return cast("P", made)


async def _settled(creation: Coroutine[Any, Any, tuple[asyncio.Transport, Any]]) -> Any:
    """Wait for a connection of the event loop's, and end it where nobody waits any more.

    Cancelled while it makes one, uvloop tells the protocol of the beginning, and never of the end.
    """
    task = asyncio.ensure_future(creation)
    try:
        _, protocol = await asyncio.shield(task)
    except asyncio.CancelledError:
        transport, _ = await task
        transport.abort()
        raise
    return protocol


async def _complete_connect(connection: socket.socket, endpoint: Endpoint) -> None:
    """Connect a non-blocking socket; uvloop's `sock_connect` would look the address up again, in a thread."""
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
    if error:
        raise OSError(error, os.strerror(error))


def _refuse_self(connection: socket.socket) -> None:
    """Raise where nobody listens, and the kernel drew the target's port for this end: TCP connects it to itself."""
    if connection.family != socket.AF_UNIX and connection.getsockname() == connection.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _tls_context(options: DialOptions) -> ssl.SSLContext:
    """Read what TLS needs.

    Raises:
        Failure: in one line, which file cannot be used, and why.

    """
    try:
        made = ssl.create_default_context(cafile=options.tls_ca)
    except ssl.SSLError as error:
        raise Failure(USAGE, f"no certificates in {options.tls_ca}: {plain(error)}") from error
    except OSError as error:
        raise Failure(USAGE, f"cannot read {options.tls_ca}: {error.strerror}") from error
    if options.tls_cert:
        key = options.tls_key or options.tls_cert
        try:
            for path in (options.tls_cert, key):
                with open(path, "rb"):  # load_cert_chain() does not say which of the two it cannot read
                    pass
            # Without a password OpenSSL would ask for one on the terminal.
            made.load_cert_chain(options.tls_cert, key, password="")
        except ssl.SSLError as error:
            reason = plain(error) if error.reason else "one of them is no PEM, or needs a password"
            message = f"cannot use the certificate {options.tls_cert} with the key {key}: {reason}"
            raise Failure(USAGE, message) from error
        except OSError as error:
            raise Failure(USAGE, f"cannot read {error.filename}: {error.strerror}") from error
    if options.tls_server_name:
        try:
            made.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=options.tls_server_name)
        except ValueError as error:
            raise Failure(USAGE, f"no certificate can have the name {options.tls_server_name!r}") from error
    return made


def plain(error: Exception) -> str:
    """Say in plain words what went wrong."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not to be trusted: {error.verify_message}"
        case ssl.SSLError():
            return (error.reason or str(error)).lower().replace("_", " ")
        case UnicodeError():
            return "it is no host name"
        case socket.gaierror():
            return error.strerror or str(error)
        case OSError(errno=int(number)):
            return os.strerror(number)
    return str(error) or "the peer hung up in the handshake"  # which the event loop has no words for
