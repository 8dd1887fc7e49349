"""A continuous, verified exchange."""

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any

from stentor_chassis.histogram import NANOSECONDS
from stentor_chassis.logs import Logger, excerpt
from stentor_client.account import Account
from stentor_client.connection import Connection
from stentor_client.message import MessageSource
from stentor_client.metrics import EXCHANGES, LOST, OPENED, SCHEMA, Phase
from stentor_client.outcomes import ExchangeError, Outcome
from stentor_client.schedule import Schedule
from stentor_client.target import Target, connect
from stentor_client.verifier import EXPECTATIONS, Verdict, Verifier

BACKOFF_SECONDS = 0.1
BACKOFF_MOST_SECONDS = 5.0
LATE_NANOSECONDS = 1_000_000
CLOSE_SECONDS = 1.0
SUMMARY_SECONDS = 60.0
QUIET_INTERVAL_SECONDS = 0.5  # exchanges that follow each other faster are logged at debug


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What the command line says to the probe; plain data, for it travels as JSON."""

    target: str
    interval_seconds: float
    connection: str  # persistent or fresh
    sizes: list[int]
    count: int  # 0: until told to stop
    timeout_seconds: float
    connect_timeout_seconds: float
    expect: str


class Probe:
    """Sends one unique message after the other, and verifies each reply before the next."""

    def __init__(
        self, options: ProbeOptions, row: "memoryview[int]", log: Logger, stop: asyncio.Event, first: int = 0
    ) -> None:
        """Count in `row`; end soon after `stop` is set; begin with the sequence number `first`."""
        self._options = options
        self._target = Target.parse(options.target)
        self._account = Account(row)
        self._log = log
        self._stop = stop
        self._messages = MessageSource(max(options.sizes))
        self._connection: Connection | None = None
        self._connections = 0
        self._first = first
        self._failures = 0  # connects in a row that failed

    async def run(self) -> None:
        """Probe until told to stop, or until the count is reached."""
        options = self._options
        self._log.info("probe.started", run=f"{self._messages.run:08X}", **_plain(options))
        schedule = Schedule(options.interval_seconds, time.perf_counter_ns())
        summary_at = time.monotonic() + SUMMARY_SECONDS
        sequence = self._first
        while not self._stop.is_set() and (not options.count or sequence < options.count):
            due, skipped = schedule.next(time.perf_counter_ns())
            self._account.late(skipped)
            if not await self._wait_until(due):
                break
            await self._exchange(sequence, due)
            sequence += 1
            await self._back_off()
            if time.monotonic() >= summary_at:
                summary_at += SUMMARY_SECONDS
                self._summarize()
        await self._close_connection()
        self._summarize()

    async def _close_connection(self) -> None:
        """End the connection, and read to its end: a byte too much after the last reply is seen as well."""
        connection = self._connection
        if connection is None:
            return
        try:
            async with asyncio.timeout(min(CLOSE_SECONDS, self._options.timeout_seconds)):
                verdict = await self._finish(connection)
        except TimeoutError:  # every reply was right; how long the peer takes to leave is its own affair
            verdict = Verdict(Outcome.OK)
        if verdict.outcome is Outcome.EXTRA:
            self._account.exchange(verdict.outcome)
            self._log.warning("exchange.failed", connection=self._connections, **_explain(verdict))
            await self._let_go(connection, verdict.outcome)
        else:
            await connection.close()

    async def _wait_until(self, due: int) -> bool:
        """Wait until a moment of the performance counter; return whether to go on."""
        while (left := due - time.perf_counter_ns()) > 0:
            if await self._stopped_within(left / NANOSECONDS):
                return False
        return True

    async def _back_off(self) -> None:
        """Wait a random time that grows with the failures to connect, so that many clients do not return at once."""
        if self._failures:
            longest = min(BACKOFF_SECONDS * 2.0 ** min(self._failures - 1, 10), BACKOFF_MOST_SECONDS)
            await self._stopped_within(random.uniform(0, longest))  # noqa: S311 - spreads load, guards nothing

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _exchange(self, sequence: int, due: int) -> None:
        options = self._options
        size = options.sizes[sequence % len(options.sizes)]
        began = time.perf_counter_ns()
        if began - due > LATE_NANOSECONDS:
            self._account.late()
        facts: dict[str, Any] = {"sequence": sequence, "size_bytes": size, "connection": None}
        detail, sent_at = "", began
        try:
            connection = await self._connected()
            facts["connection"] = self._connections
            message = self._messages.build(self._connections, sequence, size)
            sent_at = time.perf_counter_ns()
            verdict = await self._ask(connection, message)
        except ExchangeError as error:
            verdict, detail = Verdict(error.outcome), error.detail
        self._account.exchange(verdict.outcome)
        if verdict.outcome is Outcome.OK:
            response, service = connection.answered_at - due, connection.answered_at - sent_at
            self._account.times(response, service)
            self._account.phase(Phase.FIRST_BYTE, connection.first_byte_at - sent_at)
            log = self._log.info if options.interval_seconds >= QUIET_INTERVAL_SECONDS else self._log.debug
            log("exchange.completed", **facts, **_seconds(response_time=response, service_time=service))
        else:
            self._log.warning("exchange.failed", **facts, **_explain(verdict), detail=detail)

    async def _connected(self) -> Connection:
        """Return the connection to use, after making one where there is none."""
        connection = self._connection
        if connection is not None:
            if connection.lost_by is None:
                return connection
            await self._let_go(connection, connection.lost_by)
        try:
            connection, phases = await connect(
                self._target, self._options.connect_timeout_seconds, self._new_connection
            )
        except ExchangeError:
            self._failures += 1
            raise
        self._failures = 0
        self._connection = connection
        self._connections += 1
        self._account.phase(Phase.RESOLVE, phases.resolve)
        self._account.phase(Phase.CONNECT, phases.connect)
        log = self._log.debug if self._options.connection == "fresh" else self._log.info
        log("connection.opened", connection=self._connections, local=connection.local)
        return connection

    def _new_connection(self) -> Connection:
        return Connection(Verifier(EXPECTATIONS[self._options.expect]), self._account)

    async def _ask(self, connection: Connection, message: bytes) -> Verdict:
        """Send one message and return the verdict on its reply; a connection that failed is given up."""
        fresh = self._options.connection == "fresh"
        verdict = Verdict(Outcome.TIMEOUT)
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                await connection.send(message)
                verdict = await connection.verdict()
                if fresh and verdict.outcome is Outcome.OK:
                    verdict = await self._finish(connection)
        except TimeoutError:
            verdict = next(iter(connection.verifier.end(Outcome.TIMEOUT)), Verdict(Outcome.TIMEOUT))
        if verdict.outcome is not Outcome.OK:
            await self._let_go(connection, verdict.outcome)
        elif fresh:
            await connection.close()
            self._connection = None
        return verdict

    async def _finish(self, connection: Connection) -> Verdict:
        """End our side and read to the end, so that a byte too much is seen."""
        connection.end_sending()
        outcome = await connection.end()
        if connection.verifier.failed is not None:
            return connection.verifier.failed
        return Verdict(Outcome.OK if outcome is Outcome.EOF else outcome)

    async def _let_go(self, connection: Connection, outcome: Outcome) -> None:
        await connection.abandon(outcome)
        self._connection = None
        self._account.lost(outcome)
        self._log.warning("connection.lost", connection=self._connections, local=connection.local, outcome=outcome)

    def _summarize(self) -> None:
        row = self._account.row
        outcomes = {outcome: row[SCHEMA.slot(EXCHANGES, outcome)] for outcome in Outcome}
        self._log.info(
            "probe.summary",
            exchanges=sum(outcomes.values()),
            outcomes={str(outcome): count for outcome, count in outcomes.items() if count},
            connections_opened=row[SCHEMA.slot(OPENED)],
            connections_lost=sum(row[SCHEMA.slot(LOST, outcome)] for outcome in LOST.values),
            sent_bytes=self._account.sent_bytes,
            received_bytes=self._account.received_bytes,
        )


def _plain(options: ProbeOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in options.__slots__}


def _seconds(**nanoseconds: int) -> dict[str, float]:
    return {f"{name}_seconds": round(value / NANOSECONDS, 6) for name, value in nanoseconds.items()}


def _explain(verdict: Verdict) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "offset": verdict.offset,
        "expected": excerpt(verdict.expected),
        "actual": excerpt(verdict.actual),
    }
