"""A run of the probe: which addresses to exchange with, and the sum of the results."""

import asyncio
import contextlib
import itertools
import operator
from collections.abc import Sequence
from dataclasses import asdict

from stentor_chassis.logs.log import Logger
from stentor_client.account import Account
from stentor_client.metrics import EXCHANGES, LOST, OPENED, RECEIVED, SCHEMA, SENT
from stentor_client.probe.options import ProbeOptions
from stentor_client.probe.prober import Prober, Shared, log_failure
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verdict
from stentor_client.wire.dial_record import DialRecord
from stentor_client.wire.dialer import Dialer

SUMMARY_SECONDS = 60.0
RESOLVE_SECONDS = 30.0
_NOTHING = (0,) * SCHEMA.row_slots


class Probe:
    """Probes the target, or with `--resolve all` each of its current addresses."""

    def __init__(
        self,
        options: ProbeOptions,
        row: "memoryview[int]",
        log: Logger,
        stop: asyncio.Event,
        before: Sequence[int] = _NOTHING,
    ) -> None:
        """Count in `row`; end soon after `stop` is set; continue the counts `before` of a worker that was replaced."""
        self._options = options
        self._row = row
        self._account = Account(row)
        self._log = log
        self._stop = stop
        self._before = before
        self._first = sum(before[SCHEMA.slots(EXCHANGES)])
        self._shared = Shared(
            options=options,
            dialer=Dialer(options.dial, self._account.unused),
            messages=MessageSource(max(options.sizes), EXPECTATIONS[options.expect]),
            connection_numbers=itertools.count(1),
            account=self._account,
            log=log,
            on_outcome=self._count,
        )
        self._probers: dict[str, Prober] = {}  # by address, those that have reached their count too
        self._down: set[Prober | None] = set()  # those whose last exchange failed; None: the name does not resolve
        self._news = asyncio.Event()  # a prober has ended, or it is time to stop

    async def run(self) -> None:
        """Probe until `stop` is set, or the count is reached."""
        self._log_start()
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(self._summarize_regularly()), group.create_task(self._end_when_stopped())]
            if self._options.resolve == "all":
                await self._probe_all()
            else:
                prober = self._probers[""] = Prober(self._shared, first=self._first)
                await prober.run()
            for task in background:
                task.cancel()
        self._summarize()

    async def _end_when_stopped(self) -> None:
        await self._stop.wait()
        for prober in self._probers.values():
            prober.end()
        self._news.set()

    def _count(self, prober: Prober | None, outcome: Outcome) -> None:
        """Count an exchange; the target is up while every address of it is.

        An address that failed stays down until an exchange with it succeeds, or the name no longer resolves to it.
        """
        self._down.discard(prober)
        if outcome is not Outcome.OK and (prober is None or prober in self._probers.values()):
            self._down.add(prober)
        self._account.exchange(outcome, up=not self._down)

    async def _probe_all(self) -> None:
        """Resolve the name regularly, and run one prober for each address."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        unresolved = 0
        async with asyncio.TaskGroup() as group:
            while not self._done(unresolved):
                record = await self._resolve(unresolved)
                if record is None:
                    unresolved += 1
                elif not self._stop.is_set():
                    self._follow(record, group)
                due = max(due + (RESOLVE_SECONDS if record else self._options.interval_seconds), loop.time())
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(due):
                        while not self._done(unresolved):
                            self._news.clear()
                            await self._news.wait()

    def _done(self, unresolved: int) -> bool:
        """Whether to stop, or each address has reached its count; the name, if it never had an address."""
        if self._stop.is_set():
            return True
        if not self._options.count:
            return False
        if not self._probers:
            return unresolved >= self._options.count
        return all(prober.ended for prober in self._probers.values())

    async def _resolve(self, number: int) -> DialRecord | None:
        """Look the name up; count a failure, and return None."""
        try:
            record = await self._shared.dialer.resolve()
        except ExchangeError as error:
            self._count(None, error.outcome)
            facts = {"address": None, "sequence": number}
            log_failure(self._log, facts, Verdict(error.outcome), error.phase, error.detail)
            return None
        self._down.discard(None)
        self._account.phases(record.durations)
        return record

    def _follow(self, record: DialRecord, group: asyncio.TaskGroup) -> None:
        """Start probers for new addresses, and end those of addresses that were removed."""
        found = {str(endpoint): endpoint for endpoint in record.endpoints}
        removed = sorted(self._probers.keys() - found.keys())
        new = [address for address in found if address not in self._probers]
        for address in removed:
            prober = self._probers.pop(address)
            self._down.discard(prober)
            prober.end()
        for address in new:
            prober = self._probers[address] = Prober(self._shared, found[address], self._first // len(found))
            group.create_task(prober.run()).add_done_callback(lambda _: self._news.set())
        if removed or new:
            self._log.info("target.resolved", addresses=list(found), new=new, gone=removed)

    async def _summarize_regularly(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_SECONDS)
            self._summarize()

    def _summarize(self) -> None:
        row = [*map(operator.add, self._before, self._row)]
        outcomes = {str(outcome): row[SCHEMA.slot(EXCHANGES, outcome)] for outcome in Outcome}
        self._log.info(
            "probe.summary",
            exchanges=sum(outcomes.values()),
            outcomes={outcome: count for outcome, count in outcomes.items() if count},
            connections_opened=row[SCHEMA.slot(OPENED)],
            connections_lost=sum(row[SCHEMA.slot(LOST, outcome)] for outcome in LOST.values),
            sent_bytes=row[SCHEMA.slot(SENT)],
            received_bytes=row[SCHEMA.slot(RECEIVED)],
        )

    def _log_start(self) -> None:
        fields = asdict(self._options)
        dial = fields.pop("dial")
        fields |= {name: dial[name] for name in ("target", "tls", "proxy_protocol")}
        self._log.info("probe.started", run=f"{self._shared.messages.run:09d}", **fields)
