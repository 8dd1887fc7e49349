"""Sends what it is given, writes the replies to standard output, and verifies them on the way."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

import uvloop

from stentor_chassis.descriptors import write_all
from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, USAGE, Failure
from stentor_chassis.logs import excerpt
from stentor_client.account import Account
from stentor_client.connection import Connection
from stentor_client.dialer import Dialer, DialOptions
from stentor_client.outcomes import ExchangeError, Outcome
from stentor_client.verifier import EXPECTATIONS, Verdict

_STDOUT = 1
READ_BYTES = 256 * 1024
READS_AHEAD = 2
CHECKS_PER_TIMEOUT = 4

T = TypeVar("T")


class Sender:
    """Sends over one connection; a reply that is not what it must be ends it with `Failure`."""

    def __init__(self, dial: DialOptions, expect: str, timeout: float) -> None:
        """`timeout`, in seconds, is how long the server may leave a reply without progress."""
        self._dialer = Dialer(dial)
        self._target = self._dialer.target
        self._expect = EXPECTATIONS[expect]
        self._timeout = timeout
        self._account = Account()
        self._output_error: OSError | None = None

    def stream(self, data: bytes | None = None) -> None:
        """Send `data`, or else standard input, as one message, and write the reply to standard output meanwhile."""
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_ending(self._stream(_standard_input() if data is None else _only(data))))

    def converse(self) -> None:
        """Send line by line what a person types, and print each reply."""
        import readline  # noqa: F401, PLC0415 - gives input() history and editing; only a terminal wants it

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            reply = bytearray()
            connection = runner.run(_ending(self._connect(reply.extend)))
            print(f"Connected to {self._target}: type a line to send it, Ctrl-D to end.", file=sys.stderr)
            while (line := _typed_line()) is not None:
                runner.run(_ending(self._ask(connection, line)))
                print(reply.decode(errors="replace"), end="", flush=True)
                reply.clear()
            runner.run(connection.close())

    async def _connect(self, on_reply: Callable[[memoryview], object]) -> Connection:
        connection, _ = await self._dialer.dial(lambda: Connection(self._account, on_reply))
        return connection

    async def _send(self, connection: Connection, data: bytes, *, more: bool = False) -> None:
        await connection.send(data, [(self._expect(data), 0, len(data))], more=more)

    async def _ask(self, connection: Connection, message: bytes) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await self._send(connection, message)
                verdict = await connection.verdict()
        except TimeoutError:
            await connection.abandon(Outcome.TIMEOUT)
            verdict = await connection.verdict()
        self._check(verdict)

    async def _stream(self, source: AsyncIterator[bytes]) -> None:
        connection = await self._connect(self._write_out)
        watching = asyncio.create_task(self._watch(connection))
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
            await self._send(connection, chunk, more=True)
        await self._send(connection, b"")
        connection.end_sending()

    async def _read_all(self, connection: Connection) -> None:
        while connection.lost_by is None and connection.verifier.failed is None and self._output_error is None:
            await connection.news()
        if self._output_error is not None:
            raise self._output_error
        verdict = connection.verifier.failed or await connection.verdict()
        if verdict.outcome is Outcome.OK and connection.lost_by not in {None, Outcome.EOF}:
            verdict = Verdict(connection.lost_by)  # the reply is complete, and yet did not end as it should
        self._check(verdict)

    async def _watch(self, connection: Connection) -> None:
        """Give the connection up when a reply is due and nothing moves for the whole timeout.

        Counted in several checks: one check that comes late because standard output was blocked proves nothing.
        """
        still, before = 0, -1
        while still < CHECKS_PER_TIMEOUT:
            await asyncio.sleep(self._timeout / CHECKS_PER_TIMEOUT)
            moved = self._account.sent_bytes + self._account.received_bytes
            owing = connection.verifier.outstanding or connection.ended_sending
            still = still + 1 if owing and moved == before else 0
            before = moved
        await connection.abandon(Outcome.TIMEOUT)

    def _write_out(self, reply: memoryview) -> None:
        try:
            write_all(_STDOUT, reply)
        except OSError as error:  # raised where it can be answered: here the event loop would take it
            self._output_error = error

    def _check(self, verdict: Verdict) -> None:
        if verdict.outcome is not Outcome.OK:
            message = f"{self._target}: {_explain(verdict, self._timeout)}"
            raise Failure(verdict.outcome.exit_code, f"{verdict.outcome}: {message}")


def _explain(verdict: Verdict, timeout: float) -> str:
    """Say in words what became of a reply."""
    at = f"at byte {verdict.offset} of the reply"
    match verdict.outcome:
        case Outcome.MISMATCH:
            return f"{at}, expected '{excerpt(verdict.expected)}' and got '{excerpt(verdict.actual)}'"
        case Outcome.EXTRA:
            return f"{at}, got '{excerpt(verdict.actual)}' that nobody asked for"
        case Outcome.SHORT:
            return f"the reply ended {at}, '{excerpt(verdict.expected)}' was to follow"
        case Outcome.TIMEOUT:
            where = f", {at}" if verdict.offset is not None else ": the server does not end its side"
            return f"no progress for {timeout:g} s{where}"
        case Outcome.EOF:
            return "the server closed the connection before it was done"
    return "the connection was cut"


async def _ending(work: Coroutine[Any, Any, T]) -> T:
    """Turn what ends an exchange into what ends the command."""
    try:
        return await work
    except ExchangeError as error:
        raise Failure(error.outcome.exit_code, str(error)) from error
    except BrokenPipeError as error:
        raise Failure(READER_GONE, "") from error
    except OSError as error:
        raise Failure(INTERNAL_ERROR, f"cannot write standard output: {error.strerror}") from error


async def _only(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _standard_input() -> AsyncIterator[bytes]:
    """Yield what standard input gives, as it comes.

    A thread reads, because a file cannot be polled; it is a daemon, because a read that blocks cannot be called off.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    wanted = threading.Semaphore(READS_AHEAD)

    def read() -> None:
        chunk: bytes | OSError = b"-"
        while chunk and isinstance(chunk, bytes):
            wanted.acquire()
            try:
                chunk = os.read(0, READ_BYTES)
            except OSError as error:
                chunk = error
            try:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            except RuntimeError:  # the loop has closed: the exchange has ended without us
                return

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    while chunk := await chunks.get():
        if isinstance(chunk, OSError):
            raise Failure(USAGE, f"cannot read standard input: {chunk.strerror}")
        yield chunk
        wanted.release()


def _typed_line() -> bytes | None:
    """Return the line a person typed, or nothing at the end of input."""
    prompt = "> "
    if not sys.stdout.isatty():  # the prompt is no reply
        print(prompt, end="", file=sys.stderr, flush=True)
        prompt = ""
    try:
        return input(prompt).encode(errors="surrogateescape") + b"\n"
    except EOFError:
        print(file=sys.stderr)
        return None
