"""The path under test."""

import contextlib
from collections.abc import AsyncIterator, Awaitable

from stentor_client.account import Account
from stentor_client.check.call import HEAD_BYTES, Call
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS
from stentor_client.wire.connection import GOODBYE_SECONDS, Connection
from stentor_client.wire.dial_record import Endpoint
from stentor_client.wire.dialer import Dialer, DialOptions

LEAST_BYTES = 64  # that every check may send
_ROOM_BYTES = 1024


class Subject:
    """Makes calls to one target."""

    def __init__(self, dial: DialOptions, expect: str, timeout_seconds: float, largest: int) -> None:
        """Let replies stall for up to `timeout_seconds`; `largest` is in bytes. Raise `Failure` as `Dialer`."""
        self.dial = dial
        self.expect = expect
        self.timeout_seconds = timeout_seconds
        self.largest_good = largest  # bytes; a check lowers it if large messages are lost
        self._dialer = Dialer(dial)
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
    async def call(self, endpoint: Endpoint | None = None) -> AsyncIterator[Call]:
        """Connect to `endpoint`, or to the first of the target's that accepts, and close at the end."""
        self._calls += 1
        number, account, head = self._calls, Account(), bytearray()

        def keep_head(data: memoryview) -> None:
            head.extend(data[: HEAD_BYTES - len(head)])

        connection, record = await self._dialer.dial(lambda: Connection(account, keep_head), endpoint)
        try:
            yield Call(connection, record, account, head, self._messages, number, self.timeout_seconds)
            await connection.close(GOODBYE_SECONDS)
        finally:
            await connection.abandon(Outcome.EOF)


async def failure_of(work: Awaitable[None]) -> ExchangeError | None:
    """Return the error of an exchange, or None; for concurrent exchanges."""
    try:
        await work
    except ExchangeError as error:
        return error
    return None
