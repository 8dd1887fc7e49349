"""Sends what it is given, writes the reply to standard output, and verifies it on the way."""

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

# How much may be unanswered before sending waits for the reply. What is unanswered is kept, for it is what the reply is
# held against. A path that passes on what it reads never owes so much: as Linux comes, a connection holds 4 MiB to send
# and 6 MiB to read each way, which with a proxy is 40 MiB. And whoever answers at the end can have a whole message of
# this size, which is also the largest that the other commands send.
UNANSWERED_BYTES = LARGEST_BYTES
PART_BYTES = 256  # what it takes to remember one more part of the reply, whatever its size


class Sender:
    """A filter: what goes in is one message, and what comes out is its reply."""

    def __init__(
        self,
        dial: DialOptions,
        expect: str,
        timeout: float,
        write: Callable[[memoryview], object] = write_out,
    ) -> None:
        """`timeout`, in seconds, is how long the server may leave a reply without progress; `write` gets the reply.

        Raises:
            Failure: in one line, which certificate file cannot be used, and why.

        """
        self._dialer = Dialer(dial)
        self._target = self._dialer.target
        self._expect = EXPECTATIONS[expect]
        self._timeout = timeout
        self._write = write
        self._account = Account()
        self._given = 0  # bytes of the message so far
        self._answered: Verdict | None = None  # known before the connection ends, as it is where TLS is
        self._unwritten: Failure | None = None

    def stream(self, data: bytes | None = None) -> None:
        """Send `data`, or else standard input, and write the reply to standard output meanwhile.

        Raises:
            Failure: in one line, what went wrong.

        """
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._stream(read_in() if data is None else _only(data)))

    async def _stream(self, source: AsyncIterator[bytes]) -> None:
        try:
            connection, _ = await self._dialer.dial(lambda: Connection(self._account, self._write_out))
        except ExchangeError as error:
            raise Failure(error.outcome.exit_code, str(error)) from error
        watcher = StallWatcher(connection, self._account, self._timeout, lambda: self._owed(connection))
        watching = asyncio.create_task(watcher.watch())
        work = [
            asyncio.create_task(self._send_all(connection, source)),
            asyncio.create_task(self._read_all(connection)),
        ]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in (watching, *work):
                task.cancel()
            await connection.abandon(Outcome.EOF)

    async def _send_all(self, connection: Connection, source: AsyncIterator[bytes]) -> None:
        async for chunk in source:
            await self._until_answered(connection)
            await self._send(connection, chunk, more=True)
        await self._send(connection, b"")
        connection.end_sending()
        if connection.ended_sending or connection.lost_by is not None:
            return
        # TLS has no half-close: here the reply is over with its last byte, which may have come before the end of input.
        self._answered = next(iter(connection.verifier.feed(b"")), None) or await connection.verdict()
        await connection.close()

    async def _until_answered(self, connection: Connection) -> None:
        """Wait while too much is unanswered; only what is received keeps the time-out away meanwhile."""
        while self._unanswered_bytes(connection) >= UNANSWERED_BYTES and connection.lost_by is None:
            await connection.news()

    def _unanswered_bytes(self, connection: Connection) -> int:
        return self._given - self._account.received_bytes + connection.verifier.parts * PART_BYTES

    async def _send(self, connection: Connection, data: bytes, *, more: bool = False) -> None:
        self._given += len(data)
        await connection.send(data, [(self._expect(data), 0, len(data))], more=more)

    async def _read_all(self, connection: Connection) -> None:
        verifier = connection.verifier
        while connection.lost_by is None and not (verifier.failed or self._answered or self._unwritten):
            await connection.news()
        if self._unwritten:
            raise self._unwritten
        verdict = verifier.failed or self._answered or await connection.verdict()
        if verdict.outcome is Outcome.OK and connection.lost_by not in {None, Outcome.EOF}:
            verdict = Verdict(connection.lost_by)  # the reply is complete, and yet did not end as it should
        if verdict.outcome is not Outcome.OK:
            words = f"{verdict.outcome}: {self._target}: {explain(verdict, self._timeout)}"
            raise Failure(verdict.outcome.exit_code, words)

    def _owed(self, connection: Connection) -> object:
        return connection.verifier.outstanding or connection.ended_sending or self._answered

    def _write_out(self, reply: memoryview) -> None:
        try:
            self._write(reply)
        except Failure as failure:  # raised where it can be answered: here the event loop would take it
            self._unwritten = failure


async def _only(data: bytes) -> AsyncIterator[bytes]:
    yield data
