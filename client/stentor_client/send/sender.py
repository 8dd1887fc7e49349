"""Sends data, writes the reply to standard output, and verifies it on the way."""

import asyncio
from collections.abc import AsyncIterator, Callable

import uvloop

from stentor_chassis.failure import Failure
from stentor_client.account import Account
from stentor_client.options import LARGEST_BYTES
from stentor_client.output.standard_streams import read_in, write_out
from stentor_client.verify.explanation import explain
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, DialOptions
from stentor_client.wire.stall_watcher import StallWatcher

# Sending pauses while this much is unanswered, because the expected reply is kept in memory. A path that forwards all
# it reads never buffers as much: with Linux's defaults, a connection buffers up to 4 MiB to send and 6 MiB to read each
# way, which with a proxy is 40 MiB. A server that answers at the end can still get a message of the largest size that
# the other commands send.
UNANSWERED_BYTES = LARGEST_BYTES
PART_BYTES = 256  # memory for one more part of the reply, whatever its size


class Sender:
    """A filter: the input is one message, the output its reply."""

    def __init__(
        self,
        dial: DialOptions,
        expect: str,
        timeout: float,
        write: Callable[[memoryview], object] = write_out,
    ) -> None:
        """`write` receives the reply, which may stall for `timeout` seconds; raise `Failure` as `Dialer`."""
        self._dialer = Dialer(dial)
        self._target = self._dialer.target
        self._expect = EXPECTATIONS[expect]
        self._timeout = timeout
        self._write = write
        self._account = Account()
        self._given = 0  # bytes of the message so far
        self._answered: Verdict | None = None  # with TLS it is known before the connection ends
        self._write_failure: Failure | None = None

    def stream(self, data: bytes | None = None) -> None:
        """Send `data`, or else standard input, and write the reply meanwhile.

        Raises:
            Failure: the exchange failed, or a stream cannot be used; the message says why.

        """
        uvloop.run(self._stream(read_in() if data is None else _only(data)))

    async def _stream(self, source: AsyncIterator[bytes]) -> None:
        connection, _ = await self._dialer.dial(lambda: Connection(self._account, self._write_out))
        watcher = StallWatcher(connection, self._account, self._timeout, lambda: self._is_reply_due(connection))
        try:
            await watcher.during(self._exchange(connection, source))
        finally:
            await connection.abandon(Outcome.EOF)

    async def _exchange(self, connection: Connection, source: AsyncIterator[bytes]) -> None:
        """Send and read at once; the first that fails ends both."""
        work = [
            asyncio.ensure_future(each) for each in (self._send_all(connection, source), self._read_all(connection))
        ]
        try:
            await asyncio.gather(*work)
        finally:
            for task in work:
                task.cancel()

    async def _send_all(self, connection: Connection, source: AsyncIterator[bytes]) -> None:
        async for chunk in source:
            await self._until_answered(connection)
            await self._send(connection, chunk, more=True)
        await self._send(connection, b"")
        connection.end_sending()
        if connection.ended_sending or connection.lost_by is not None:
            return
        # TLS has no half-close: the reply ends with its last byte, which may have arrived before the end of the input.
        self._answered = next(iter(connection.verifier.feed(b"")), None) or await connection.verdict()
        await connection.close()

    async def _until_answered(self, connection: Connection) -> None:
        """Wait while too much is unanswered; meanwhile only received bytes are progress."""
        while self._unanswered_bytes(connection) >= UNANSWERED_BYTES and connection.lost_by is None:
            await connection.news()

    def _unanswered_bytes(self, connection: Connection) -> int:
        return self._given - self._account.received_bytes + connection.verifier.parts * PART_BYTES

    async def _send(self, connection: Connection, data: bytes, *, more: bool = False) -> None:
        self._given += len(data)
        await connection.send(data, [(self._expect(data), 0, len(data))], more=more)

    async def _read_all(self, connection: Connection) -> None:
        verifier = connection.verifier
        while connection.lost_by is None and not (verifier.failed or self._answered or self._write_failure):
            await connection.news()
        if self._write_failure:
            raise self._write_failure
        verdict = verifier.failed or self._answered or await connection.verdict()
        if verdict.outcome is Outcome.OK and connection.lost_by not in {None, Outcome.EOF}:
            verdict = Verdict(connection.lost_by)  # the reply is complete, but the connection did not end in order
        if verdict.outcome is not Outcome.OK:
            raise ExchangeError(verdict.outcome, verdict.phase, f"{self._target}: {explain(verdict, self._timeout)}")

    def _is_reply_due(self, connection: Connection) -> object:
        return connection.verifier.parts or connection.ended_sending or self._answered

    def _write_out(self, reply: memoryview) -> None:
        try:
            self._write(reply)
        except Failure as failure:  # raised later: the event loop would swallow it here
            self._write_failure = failure


async def _only(data: bytes) -> AsyncIterator[bytes]:
    yield data
