"""Converses on a terminal: a person types lines, and sees the reply below each."""

import asyncio
import sys
import time

import uvloop
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, get_app_session
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.utils import is_dumb_terminal
from rich.console import Console

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.escaping import escaped
from stentor_chassis.failure import Failure
from stentor_client.account import Account
from stentor_client.converse.answer import PROMPT, show_fault, show_reply
from stentor_client.converse.history import PrivateHistory
from stentor_client.output.wording import elapsed
from stentor_client.verify.explanation import explain
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verdict
from stentor_client.wire.connection import GOODBYE_SECONDS, Connection
from stentor_client.wire.dialer import Dialer, DialOptions
from stentor_client.wire.stall_watcher import StallWatcher

_MOST_SURPLUS_SHOWN = 1024  # bytes after the end of a reply


class _DroppedError(Exception):
    """Ctrl-C at the prompt."""


class Conversation:
    """Sends each line over one connection, and watches the connection while the person types."""

    def __init__(self, dial: DialOptions, expect: str, timeout: float, history: PrivateHistory) -> None:
        """`timeout`, in seconds, is how long a reply may stall; raise `Failure` as `Dialer`."""
        self._dialer = Dialer(dial)
        self._target = self._dialer.target
        self._expect = EXPECTATIONS[expect]
        self._timeout = timeout
        self._history = history
        self._console = Console(highlight=False)
        self._account = Account()
        self._received = bytearray()  # since the last reply

    def run(self) -> int:
        """Converse until the person ends it; return the exit code of the worst reply.

        Raises:
            Failure: the connection ended; the message says how.
            KeyboardInterrupt: the person pressed Ctrl-C twice, or while waiting for a reply.

        """
        try:
            return uvloop.run(self._run())
        finally:
            self._history.trim()

    async def _run(self) -> int:
        connection, _ = await self._dialer.dial(lambda: Connection(self._account, self._received.extend))
        print(f"Connected to {escaped(str(self._target))}: type a line to send it, Ctrl-D to end.", file=sys.stderr)
        try:
            return await self._converse(connection)
        finally:
            await connection.abandon(Outcome.EOF)

    async def _converse(self, connection: Connection) -> int:
        session = _session(self._history)
        code, interrupted = 0, False
        while True:
            try:
                line = await self._typed(session, connection)
            except _DroppedError:
                if interrupted:
                    raise KeyboardInterrupt from None
                print("Press Ctrl-C again or Ctrl-D to end.", file=sys.stderr)
                interrupted = True
                continue
            except EOFError:
                await connection.close(GOODBYE_SECONDS)
                return code
            if line is None:
                raise self._failure(connection.verifier.failed or Verdict(connection.lost_by or Outcome.EOF), code)
            interrupted = False
            message = line.encode(errors="surrogateescape") + b"\n"
            verdict, reply, service_time = await self._ask(connection, message)
            if reply or verdict.outcome is Outcome.OK:
                show_reply(self._console, message, reply, elapsed(service_time / NANOSECONDS))
            if verdict.outcome is Outcome.OK:
                continue
            code = max(code, verdict.outcome.exit_code)
            lost = connection.lost_by is not None
            if verdict.offset is not None and reply:
                fault = "" if lost else f"{verdict.outcome}: {explain(verdict, self._timeout)}"
                show_fault(self._console, reply, verdict.offset, fault)
            if lost:
                raise self._failure(verdict, code)

    async def _typed(self, session: PromptSession[str], connection: Connection) -> str | None:
        """Return the next line, or None as soon as the connection ends.

        Raises:
            EOFError: the person pressed Ctrl-D.
            _DroppedError: the person pressed Ctrl-C.

        """
        typing = asyncio.ensure_future(_prompt(session))
        ending = asyncio.ensure_future(connection.end())
        try:
            await asyncio.wait([typing, ending], return_when=asyncio.FIRST_COMPLETED)
            if typing.done():
                return typing.result()
            ending.result()  # unless it failed
            return None
        finally:
            for task in (typing, ending):
                task.cancel()
            await asyncio.gather(typing, ending, return_exceptions=True)  # so that the terminal is restored

    async def _ask(self, connection: Connection, message: bytes) -> tuple[Verdict, bytes, int]:
        """Send a line; return the verdict, the reply as far as it arrived, and the service time in nanoseconds."""
        expected = self._expect(message)
        begun = time.perf_counter_ns()

        async def exchange() -> Verdict:
            await connection.send(message, [(expected, 0, len(expected))])
            return await connection.verdict()

        verdict = await StallWatcher(connection, self._account, self._timeout).during(exchange())
        reply = bytes(self._received[: len(expected) + _MOST_SURPLUS_SHOWN])
        self._received.clear()
        return verdict, reply, (connection.answered_at or time.perf_counter_ns()) - begun

    def _failure(self, verdict: Verdict, code: int) -> Failure:
        message = f"{verdict.outcome}: {self._target}: {explain(verdict, self._timeout)}"
        return Failure(max(code, verdict.outcome.exit_code), message)


def _session(history: PrivateHistory) -> PromptSession[str]:
    """Return a prompt that asks the terminal for nothing: one that does not answer would get a warning."""
    output = get_app_session().output
    if isinstance(output, Vt100_Output):
        output.enable_cpr = False
    # A new session writes escape sequences, which a dumb terminal would show.
    with create_app_session(output=DummyOutput() if is_dumb_terminal() else output):
        session: PromptSession[str] = PromptSession(
            history=history, interrupt_exception=_DroppedError, enable_suspend=True
        )
    session.app.output = output
    return session


async def _prompt(session: PromptSession[str]) -> str:
    with session.input.raw_mode():  # on a dumb terminal the prompt precedes the session's raw mode
        return await session.prompt_async(PROMPT)
