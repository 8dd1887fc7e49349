"""A conversation on a terminal: a person types lines, and sees the reply beneath each."""

import asyncio
import contextlib
import readline
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console

from stentor_chassis.escaping import escaped
from stentor_chassis.failure import Failure
from stentor_client.account import Account
from stentor_client.converse.answer import PROMPT, show_fault, show_reply
from stentor_client.converse.background_loop import BackgroundLoop
from stentor_client.converse.history import History
from stentor_client.verify.explanation import explain
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verdict
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, DialOptions
from stentor_client.wire.stall_watcher import StallWatcher

_GOODBYE_SECONDS = 1.0
_TOLD_AGAIN_SECONDS = 0.1
_MOST_SURPLUS_SHOWN = 1024  # bytes beyond the end of a reply


@dataclass(frozen=True, slots=True)
class _Answer:
    verdict: Verdict
    reply: bytes
    service_time: int  # nanoseconds


class _LostError(Exception):
    """The connection ended while a person was at the prompt."""


class Conversation:
    """Sends each line over one connection; the connection runs in another thread while the person types."""

    def __init__(self, dial: DialOptions, expect: str, timeout: float, history: History) -> None:
        """`timeout`, in seconds, is how long a reply may stand still.

        Raises:
            Failure: in one line, which certificate file cannot be used, and why.

        """
        self._dialer = Dialer(dial)
        self._target = self._dialer.target
        self._expect = EXPECTATIONS[expect]
        self._timeout = timeout
        self._history = history
        self._console = Console(highlight=False)
        self._account = Account()
        self._reply = bytearray()
        self._prompting = False

    def run(self) -> int:
        """Converse until the person ends it; return the exit code of the worst reply.

        Raises:
            Failure: in one line, what ended the connection.

        """
        for line in self._history.lines:
            readline.add_history(line)
        try:
            with self._told_of_the_end(), BackgroundLoop() as loop:
                connection = loop.do(self._connect())
                print(
                    f"Connected to {escaped(str(self._target))}: type a line to send it, Ctrl-D to end.",
                    file=sys.stderr,
                )
                try:
                    loop.start(self._watch(connection))
                    return self._converse(loop, connection)
                finally:
                    loop.do(connection.abandon(Outcome.EOF))
        finally:
            self._history.trim()

    def _converse(self, loop: BackgroundLoop, connection: Connection) -> int:
        code, interrupted = 0, False
        while True:
            try:
                line = self._typed()
            except KeyboardInterrupt:
                print(file=sys.stderr)
                if interrupted:
                    raise
                print("Ctrl-C again, or Ctrl-D, ends.", file=sys.stderr)
                interrupted = True
                continue
            except _LostError:
                print(file=sys.stderr)
                verdict = connection.verifier.failed or Verdict(connection.lost_by or Outcome.EOF)
                raise self._failure(verdict, code) from None
            except EOFError:
                print(file=sys.stderr)
                loop.do(self._say_goodbye(connection))
                return code
            interrupted = False
            message = line.encode(errors="surrogateescape") + b"\n"
            answer = loop.do(self._ask(connection, message))
            if answer.reply or answer.verdict.outcome is Outcome.OK:
                show_reply(self._console, message, answer.reply, f"{answer.service_time / 1e6:.2f} ms")
            if answer.verdict.outcome is Outcome.OK:
                continue
            code = max(code, answer.verdict.outcome.exit_code)
            lost = connection.lost_by is not None
            if answer.verdict.offset is not None and answer.reply:
                fault = f"{answer.verdict.outcome}: {explain(answer.verdict, self._timeout)}"
                show_fault(self._console, answer.reply, answer.verdict.offset, "" if lost else fault)
            if lost:
                raise self._failure(answer.verdict, code)

    def _typed(self) -> str:
        """Return the next line.

        Raises:
            EOFError: at the end of input.
            KeyboardInterrupt: after Ctrl-C.
            _LostError: when the connection ends meanwhile.

        """
        self._prompting = True
        try:
            line = input(PROMPT)
        finally:
            self._prompting = False
        self._history.add(line)
        return line

    async def _connect(self) -> Connection:
        try:
            connection, _ = await self._dialer.dial(lambda: Connection(self._account, self._reply.extend))
        except ExchangeError as error:
            raise Failure(error.outcome.exit_code, str(error)) from error
        return connection

    async def _ask(self, connection: Connection, message: bytes) -> _Answer:
        reply = self._expect(message)
        begun = time.perf_counter_ns()

        async def exchange() -> Verdict:
            await connection.send(message, [(reply, 0, len(reply))])
            return await connection.verdict()

        verdict = await StallWatcher(connection, self._account, self._timeout).during(exchange())
        came = bytes(self._reply[: len(reply) + _MOST_SURPLUS_SHOWN])
        self._reply.clear()
        return _Answer(verdict, came, (connection.answered_at or time.perf_counter_ns()) - begun)

    async def _say_goodbye(self, connection: Connection) -> None:
        with contextlib.suppress(TimeoutError):  # every reply was there; how long the server takes is its own affair
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await connection.close()

    async def _watch(self, connection: Connection) -> None:
        """Call the person at the prompt when the connection ends; again and again, for one call can be too early."""
        await connection.end()
        while True:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            await asyncio.sleep(_TOLD_AGAIN_SECONDS)

    @contextlib.contextmanager
    def _told_of_the_end(self) -> Iterator[None]:
        """Let the signal that `_watch` sends interrupt the prompt, and nothing else."""

        def leave(*_: object) -> None:
            if self._prompting:
                self._prompting = False
                raise _LostError

        before = signal.signal(signal.SIGUSR1, leave)
        try:
            yield
        finally:
            signal.signal(signal.SIGUSR1, before)

    def _failure(self, verdict: Verdict, code: int) -> Failure:
        message = f"{verdict.outcome}: {self._target}: {explain(verdict, self._timeout)}"
        return Failure(max(code, verdict.outcome.exit_code), message)
