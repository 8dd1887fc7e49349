"""The path under test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable

from stentor_client.account import Account
from stentor_client.check.call import Call, Head
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS
from stentor_client.wire.connection import Connection
from stentor_client.wire.dial_record import Endpoint
from stentor_client.wire.dialer import Dialer, DialOptions

LEAST_BYTES = 64  # every check may send messages of this size
_ROOM_BYTES = 1024
GOODBYE_SECONDS = 1.0


class Subject:
    """Makes calls to one target, and the messages for them."""

    def __init__(self, dial: DialOptions, expect: str, timeout_seconds: float, largest: int) -> None:
        """`timeout_seconds` is how long a reply may stand still, `largest` the size of the largest message, in bytes.

        Raises:
            Failure: in one line, which file for TLS cannot be used, and why.

        """
        self.dial = dial
        self.expect = expect
        self.timeout_seconds = timeout_seconds
        self.largest_good = largest  # bytes; less, as soon as a check has found that less comes through
        self._dialer = Dialer(dial)
        self._messages = MessageSource(max(largest, _ROOM_BYTES), EXPECTATIONS[expect])
        self._calls = 0

    @property
    def is_unix(self) -> bool:
        """Whether the target is a Unix socket."""
        return bool(self._dialer.target.path)

    def fitting(self, size: int) -> int:
        """Return the size of a message that should be of `size` bytes, or less where so much does not come through.

        So a path that swallows large messages is found by the size ladder, and does not make all other checks fail.
        """
        return min(size, max(self.largest_good, LEAST_BYTES))

    async def endpoints(self) -> list[Endpoint]:
        """Return every address of the target, each once; raise `ExchangeError` where it has none, or not in time."""
        return list(dict.fromkeys((await self._dialer.resolve()).endpoints))

    @contextlib.asynccontextmanager
    async def call(self, endpoint: Endpoint | None = None) -> AsyncIterator[Call]:
        """Connect to `endpoint`, or to the first of the target's that takes the connection, and hang up at the end.

        Raises:
            ExchangeError: where no connection can be made.

        """
        self._calls += 1
        number, account, head = self._calls, Account(), Head()
        connection, record = await self._dialer.dial(lambda: Connection(account, head.take), endpoint)
        try:
            yield Call(connection, record, account, head, self._messages, number, self.timeout_seconds)
            await _close(connection)
        finally:
            await connection.abandon(Outcome.EOF)


async def _close(connection: Connection) -> None:
    """Close in order, which over TLS takes an answer; how long the peer takes to give it is its own affair."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_SECONDS):
            await connection.close()


async def failure_of(work: Awaitable[None]) -> ExchangeError | None:
    """Return what made an exchange fail, if it did: for exchanges that run side by side."""
    try:
        await work
    except ExchangeError as error:
        return error
    return None
