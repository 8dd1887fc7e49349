"""The path under test."""

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable

from stentor_client.check.call import Call
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS
from stentor_client.wire.connection import GOODBYE_SECONDS
from stentor_client.wire.dial_record import Endpoint
from stentor_client.wire.dialer import Dialer, DialOptions

LEAST_BYTES = 64  # that every check may send
_ROOM_BYTES = 1024
_NARROW_BYTES = 32 * 1024
_SEGMENT_BYTES = 1220  # IPv6 guarantees as much


class Subject:
    """Makes calls to one target."""

    def __init__(self, dial: DialOptions, expect: str, timeout_seconds: float, largest: int) -> None:
        """Let replies stall for up to `timeout_seconds`; `largest` is in bytes. Raise `Failure` as `Dialer`."""
        self.dial = dial
        self.expect = expect
        self.timeout_seconds = timeout_seconds
        self.largest_good = largest  # bytes; a check lowers it if large messages are lost
        self._dialer = Dialer(dial)
        self._narrow_dialer = Dialer(dial, prepare=_narrow)
        self._messages = MessageSource(max(largest, _ROOM_BYTES), EXPECTATIONS[expect])
        self._calls = 0

    @property
    def is_unix(self) -> bool:
        """Whether the target is a Unix socket."""
        return bool(self._dialer.target.path)

    def fitting(self, size: int) -> int:
        """Return `size`, or the largest size that the path delivers, so that only one check fails if it is less."""
        return min(size, max(self.largest_good, LEAST_BYTES))

    async def endpoints(self) -> list[Endpoint]:
        """Return every address of the target once; raise `ExchangeError` if there is none, or not in time."""
        return list(dict.fromkeys((await self._dialer.resolve()).endpoints))

    @contextlib.asynccontextmanager
    async def call(self, endpoint: Endpoint | None = None, *, narrow: bool = False) -> AsyncIterator[Call]:
        """Connect to `endpoint`, or to the first of the target's that accepts, and close at the end.

        With `narrow`, the kernels on both sides of the last hop buffer little of a reply that is not read.
        """
        self._calls += 1
        call = Call(self._messages, self._calls, self.timeout_seconds)
        await call.connect(self._narrow_dialer if narrow else self._dialer, endpoint)
        try:
            yield call
            await call.connection.close(GOODBYE_SECONDS)
        finally:
            await call.connection.abandon(Outcome.EOF)


def _narrow(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW_BYTES)
    if connection.family != socket.AF_UNIX:  # a peer's buffer is as many segments as are under way
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)


async def failure_of(work: Awaitable[None]) -> ExchangeError | None:
    """Return the error of an exchange, or None; for concurrent exchanges."""
    try:
        await work
    except ExchangeError as error:
        return error
    return None
