"""The continuous, verified exchange with one target, or with one address of it."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.logs.log import Logger, excerpt
from stentor_client.account import Account
from stentor_client.probe.options import ProbeOptions
from stentor_client.timing.back_off import back_off_seconds
from stentor_client.timing.schedule import LATE_NANOSECONDS, Schedule
from stentor_client.timing.timer import Timer
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.verify.verifier import GOOD, ReplyPart, Verdict, explained
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer, Endpoint

BACKOFF_MOST_SECONDS = 5.0
CLOSE_SECONDS = 1.0
QUIET_INTERVAL_SECONDS = 0.5  # exchanges that follow each other faster are logged at debug


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What all probers of a run have in common."""

    options: ProbeOptions
    dialer: Dialer
    messages: MessageSource
    numbers: Iterator[int]  # of connections: none of the run has another's
    account: Account
    log: Logger
    down: set[str]  # addresses whose last exchange was not ok

    def count(self, address: str, outcome: Outcome) -> None:
        """Count an exchange; the target is up while all its addresses are."""
        if outcome is Outcome.OK:
            self.down.discard(address)
        else:
            self.down.add(address)
        self.account.exchange(outcome, up=not self.down)

    def failed(self, facts: dict[str, Any], verdict: Verdict, phase: Phase, detail: str = "") -> None:
        """Log an exchange that did not end well."""
        outcome = {"outcome": verdict.outcome, "phase": phase}
        self.log.warning("exchange.failed", **facts, **outcome, **explained(verdict), detail=detail)


@dataclass(frozen=True, slots=True)
class _Link:
    """An open connection, and what the log says of it."""

    connection: Connection
    number: int
    local: str


class Prober:
    """Sends one unique message after the other, and verifies each reply before the next."""

    def __init__(
        self, run: Run, endpoint: Endpoint | None = None, first: int = 0, on_end: Callable[[], object] = lambda: None
    ) -> None:
        """Probe `endpoint`, or else the target; begin with the sequence number `first`; call `on_end` at the end."""
        self._run = run
        self._endpoint = endpoint
        self._address = str(endpoint) if endpoint else ""
        self._facts: dict[str, Any] = {"address": self._address} if endpoint else {}
        self._first = first
        self._on_end = on_end
        self._kept: _Link | None = None
        self._failures = 0  # connects in a row that failed
        self._told_to_end = False
        self._timer = Timer()
        self.ended = False

    async def run(self) -> None:
        """Probe until told to end, or until the count is reached."""
        options, account = self._run.options, self._run.account
        schedule = Schedule(options.interval_seconds, time.perf_counter_ns())
        sequence = self._first
        try:
            while not options.count or sequence < options.count:
                due, skipped = schedule.next(time.perf_counter_ns())
                account.late(skipped)
                if not await self._go_on_at(due):
                    break
                await self._exchange(sequence, due)
                sequence += 1
                await self._back_off()
            await self._close_connection()
        finally:
            self._timer.close()
            self._run.down.discard(self._address)
            self.ended = True
            self._on_end()

    def end(self) -> None:
        """End after the exchange under way."""
        self._told_to_end = True
        if not self.ended:
            self._timer.set(0)  # whatever it waits for

    async def _go_on_at(self, due: int) -> bool:
        """Wait until a moment of the performance counter; return whether to go on then."""
        if not self._told_to_end:
            await self._timer.until(due)
        return not self._told_to_end

    async def _back_off(self) -> None:
        """Wait where the last connect failed."""
        if self._failures:
            seconds = back_off_seconds(self._failures, BACKOFF_MOST_SECONDS)
            await self._go_on_at(time.perf_counter_ns() + int(seconds * NANOSECONDS))

    async def _exchange(self, sequence: int, due: int) -> None:
        options, account = self._run.options, self._run.account
        fresh, size = options.fresh(sequence), options.size(sequence)
        began = time.perf_counter_ns()
        if began - due > LATE_NANOSECONDS:
            account.late()
        facts = {**self._facts, "sequence": sequence, "size_bytes": size, "fresh": fresh, "connection": None}
        try:
            link = await (self._connect(fresh=True) if fresh else self._keep())
            facts["connection"] = link.number
            message, reply = self._run.messages.build(link.number, sequence, size)
            sent_at = time.perf_counter_ns()
            verdict = await self._ask(link, message, reply, fresh=fresh)
        except ExchangeError as error:
            self._run.count(self._address, error.outcome)
            self._run.failed(facts, Verdict(error.outcome), error.phase, error.detail)
            return
        self._run.count(self._address, verdict.outcome)
        if verdict.outcome is not Outcome.OK:
            self._run.failed(facts, verdict, verdict.phase)
            return
        connection = link.connection
        response, service = connection.answered_at - due, connection.answered_at - sent_at
        account.times(response, service)
        account.phase(Phase.FIRST_BYTE, connection.first_byte_at - sent_at)
        log = self._run.log.info if options.interval_seconds >= QUIET_INTERVAL_SECONDS else self._run.log.debug
        log("exchange.completed", **facts, **_seconds(response_time=response, service_time=service))

    async def _keep(self) -> _Link:
        """Return the connection that is kept, after making one where there is none."""
        kept = self._kept
        if kept is not None:
            if kept.connection.lost_by is None:
                return kept
            unasked = kept.connection.verifier.failed  # a last word, and then the end
            await self._let_go(kept, unasked.outcome if unasked else kept.connection.lost_by, unasked)
        self._kept = await self._connect(fresh=False)
        return self._kept

    async def _connect(self, *, fresh: bool) -> _Link:
        account = self._run.account
        try:
            connection, record = await self._run.dialer.dial(lambda: Connection(account), self._endpoint)
        except ExchangeError:
            self._failures += 1
            raise
        self._failures = 0
        account.dialed(record.durations)
        link = _Link(connection, next(self._run.numbers), record.local)
        log = self._run.log.debug if fresh else self._run.log.info
        log("connection.opened", **self._facts, connection=link.number, local=link.local, peer=str(record.endpoint))
        return link

    async def _ask(self, link: _Link, message: bytes, reply: Sequence[ReplyPart], *, fresh: bool) -> Verdict:
        """Send one message and return the verdict on its reply; a connection that failed is given up."""
        connection = link.connection
        try:
            async with asyncio.timeout(self._run.options.timeout_seconds):
                await connection.send(message, reply)
                verdict = await connection.verdict()
                connection.look_at_kernel()
                if fresh and verdict.outcome is Outcome.OK:
                    verdict = await connection.finish()
        except TimeoutError:
            verdict = next(iter(connection.verifier.end(Outcome.TIMEOUT)), Verdict(Outcome.TIMEOUT))
        if verdict.outcome is not Outcome.OK:
            await self._let_go(link, verdict.outcome)
        elif fresh:
            await connection.close()
        return verdict

    async def _let_go(self, link: _Link, outcome: Outcome, unasked: Verdict | None = None) -> None:
        """Give a connection up; `unasked` are bytes that came while no exchange was under way that could tell."""
        await link.connection.abandon(outcome)
        if link is self._kept:
            self._kept = None
        self._run.account.lost(outcome, link.connection.idle)
        facts = {**self._facts, "connection": link.number, "local": link.local, "outcome": outcome}
        self._run.log.warning("connection.lost", **facts, **({"actual": excerpt(unasked.actual)} if unasked else {}))

    async def _close_connection(self) -> None:
        """End the connection that was kept, and read to its end: a byte too much after the last reply is seen."""
        kept = self._kept
        if kept is None:
            return
        try:
            async with asyncio.timeout(min(CLOSE_SECONDS, self._run.options.timeout_seconds)):
                verdict = await kept.connection.finish()
        except TimeoutError:  # every reply was right; how long the peer takes to leave is its own affair
            verdict = GOOD
        if verdict.outcome is Outcome.EXTRA:  # the last exchange was counted as good, and no other was made
            await self._let_go(kept, verdict.outcome, verdict)
        else:
            await kept.connection.close()


def _seconds(**nanoseconds: int) -> dict[str, float]:
    return {f"{name}_seconds": round(value / NANOSECONDS, 6) for name, value in nanoseconds.items()}
