"""The continuous, verified exchange with one target, or with one of its addresses."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.failure import NO_MEMORY
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
from stentor_client.wire.dial_record import Endpoint
from stentor_client.wire.dialer import Dialer

MAX_BACK_OFF_SECONDS = 5.0
CLOSE_SECONDS = 1.0
QUIET_INTERVAL_SECONDS = 0.5  # exchanges that follow each other faster are logged at debug


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The parts of a probe that all its probers use."""

    options: ProbeOptions
    dialer: Dialer
    messages: MessageSource
    connection_numbers: Iterator[int]  # each connection of the run has its own
    account: Account
    log: Logger
    on_outcome: Callable[["Prober", Outcome], object]  # counts an exchange


class Prober:
    """Sends one unique message after another, and verifies each reply before the next; owns its connection."""

    def __init__(self, shared: Shared, endpoint: Endpoint | None = None, first: int = 0) -> None:
        """Probe `endpoint`, or else the target; `first` is the first sequence number."""
        self.ended = False
        self._options, self._account, self._log = shared.options, shared.account, shared.log
        self._shared = shared
        self._endpoint = endpoint
        self._facts: dict[str, Any] = {"address": str(endpoint)} if endpoint else {}
        self._first = first
        self._kept: Connection | None = None
        self._failed_connects = 0  # in a row
        self._ending = False
        self._timer = Timer()

    async def run(self) -> None:
        """Probe until `end` is called, or the count is reached."""
        options = self._options
        schedule = Schedule(options.interval_seconds, time.perf_counter_ns())
        sequence = self._first
        try:
            while not options.count or sequence < options.count:
                due, skipped = schedule.next(time.perf_counter_ns())
                self._account.late(skipped)
                if not await self._wait_until(due):
                    break
                await self._exchange(sequence, due)
                sequence += 1
                if self._failed_connects:
                    seconds = back_off_seconds(self._failed_connects, MAX_BACK_OFF_SECONDS)
                    await self._wait_until(time.perf_counter_ns() + int(seconds * NANOSECONDS))
            await self._close_kept()
        finally:
            self._timer.close()
            self.ended = True

    def end(self) -> None:
        """End after the exchange under way."""
        self._ending = True
        if not self.ended:
            self._timer.set(0)  # ends any wait

    async def _wait_until(self, due: int) -> bool:
        """Wait until a moment of the performance counter; return whether to continue then."""
        if not self._ending:
            await self._timer.until(due)
        return not self._ending

    async def _exchange(self, sequence: int, due: int) -> None:
        options, account = self._options, self._account
        fresh, size = options.fresh(sequence), options.size(sequence)
        if time.perf_counter_ns() - due > LATE_NANOSECONDS:
            account.late()
        facts = {**self._facts, "sequence": sequence, "size_bytes": size, "fresh": fresh, "connection": None}
        try:
            connection = await (self._connect(fresh=True) if fresh else self._kept_connection())
        except ExchangeError as error:
            self._shared.on_outcome(self, error.outcome)
            log_failure(self._log, facts, Verdict(error.outcome), error.phase, error.detail)
            return
        facts["connection"] = connection.number
        try:
            message, reply = self._shared.messages.build(connection.number, sequence, size)
        except MemoryError:  # a later message may be smaller, or find more memory
            self._shared.on_outcome(self, Outcome.UNREACHABLE)
            log_failure(self._log, facts, Verdict(Outcome.UNREACHABLE), Phase.FIRST_BYTE, NO_MEMORY)
            if fresh:
                await connection.close()
            return
        sent_at = time.perf_counter_ns()
        verdict = await self._ask(connection, message, reply, fresh=fresh)
        self._shared.on_outcome(self, verdict.outcome)
        if verdict.outcome is not Outcome.OK:
            log_failure(self._log, facts, verdict, verdict.phase)
            return
        response, service = connection.answered_at - due, connection.answered_at - sent_at
        account.times(response, service)
        account.phases({Phase.FIRST_BYTE: connection.first_byte_at - sent_at})
        log = self._log.info if options.interval_seconds >= QUIET_INTERVAL_SECONDS else self._log.debug
        log(
            "exchange.completed",
            **facts,
            response_time_seconds=round(response / NANOSECONDS, 6),
            service_time_seconds=round(service / NANOSECONDS, 6),
        )

    async def _kept_connection(self) -> Connection:
        """Return the connection that is kept, after opening one if there is none."""
        kept = self._kept
        if kept is not None and kept.lost_by is not None:
            surplus = kept.verifier.failed
            await self._abandon(kept, surplus.outcome if surplus else kept.lost_by, surplus)
        if self._kept is None:
            self._kept = await self._connect(fresh=False)
        return self._kept

    async def _connect(self, *, fresh: bool) -> Connection:
        try:
            connection, record = await self._shared.dialer.dial(lambda: Connection(self._account), self._endpoint)
        except ExchangeError:
            self._failed_connects += 1
            raise
        self._failed_connects = 0
        self._account.phases(record.durations)
        connection.number, connection.local = next(self._shared.connection_numbers), record.local
        log = self._log.debug if fresh else self._log.info
        log("connection.opened", **self._facts_of(connection), peer=str(record.endpoint))
        return connection

    async def _ask(self, connection: Connection, message: bytes, reply: Sequence[ReplyPart], *, fresh: bool) -> Verdict:
        """Send one message and return the verdict on its reply; abandon a connection that failed."""
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await connection.send(message, reply)
                verdict = await connection.verdict()
                connection.look_at_kernel()
                if fresh and verdict.outcome is Outcome.OK:
                    verdict = await connection.finish()
        except TimeoutError:
            verdict = next(iter(connection.verifier.end(Outcome.TIMEOUT)), Verdict(Outcome.TIMEOUT))
        if verdict.outcome is not Outcome.OK:
            await self._abandon(connection, verdict.outcome)
        elif fresh:
            await connection.close()
        return verdict

    async def _abandon(self, connection: Connection, outcome: Outcome, surplus: Verdict | None = None) -> None:
        """Give up a connection, because of `surplus` bytes if they arrived while no exchange was under way."""
        await connection.abandon(outcome)
        if connection is self._kept:
            self._kept = None
        self._account.lost(outcome, connection.idle)
        actual = {"actual": excerpt(surplus.actual)} if surplus else {}
        self._log.warning("connection.lost", **self._facts_of(connection), outcome=outcome, **actual)

    def _facts_of(self, connection: Connection) -> dict[str, Any]:
        return {**self._facts, "connection": connection.number, "local": connection.local}

    async def _close_kept(self) -> None:
        """Close the kept connection, and read to its end: surplus bytes after the last reply do not go unnoticed."""
        kept = self._kept
        if kept is None:
            return
        try:
            async with asyncio.timeout(min(CLOSE_SECONDS, self._options.timeout_seconds)):
                verdict = await kept.finish()
        except TimeoutError:  # every reply was right; a peer may be slow to close
            verdict = GOOD
        if verdict.outcome is Outcome.EXTRA:  # no exchange fails: the last one has been counted as good
            await self._abandon(kept, verdict.outcome, verdict)
        else:
            await kept.close()


def log_failure(log: Logger, facts: dict[str, Any], verdict: Verdict, phase: Phase, detail: str = "") -> None:
    """Log an exchange that failed."""
    log.warning("exchange.failed", **facts, outcome=verdict.outcome, phase=phase, **explained(verdict), detail=detail)
