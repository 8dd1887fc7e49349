"""A run of the probe: which addresses there are to exchange with, and what became of it all."""

import asyncio
import itertools
import operator
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.logs.log import Logger
from stentor_client.account import Account
from stentor_client.metrics import EXCHANGES, LOST, OPENED, RECEIVED, SCHEMA, SENT
from stentor_client.probe.options import ProbeOptions
from stentor_client.probe.prober import Prober, Run
from stentor_client.timing.timer import Timer
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import ExchangeError, Outcome
from stentor_client.verify.verifier import EXPECTATIONS, Verdict
from stentor_client.wire.dialer import Dialer, DialRecord, Endpoint

SUMMARY_SECONDS = 60.0
RESOLVE_SECONDS = 30.0
_NOTHING = (0,) * SCHEMA.row_slots
_NAME = ""  # what is down where the name does not resolve


class Probe:
    """Probes the target, or with `--resolve all` each address that it has at the time."""

    def __init__(
        self,
        options: ProbeOptions,
        row: "memoryview[int]",
        log: Logger,
        stop: asyncio.Event,
        before: Sequence[int] = _NOTHING,
    ) -> None:
        """Count in `row`; end soon after `stop` is set; go on after what one that is gone had counted `before`."""
        self._options = options
        self._row = row
        self._account = Account(row)
        self._log = log
        self._stop = stop
        self._before = before
        self._first = sum(before[SCHEMA.slots(EXCHANGES)])
        self._run = Run(
            options=options,
            dialer=Dialer(options.dial, self._account.cut),
            messages=MessageSource(max(options.sizes), EXPECTATIONS[options.expect]),
            numbers=itertools.count(1),
            account=self._account,
            log=log,
            down=set(),
        )
        self._probers: dict[str, Prober] = {}  # those that go on, by address

    async def run(self) -> None:
        """Probe until told to stop, or until the count is reached."""
        self._log.info("probe.started", run=f"{self._run.messages.run:08X}", **_plain(self._options))
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._summarize_now_and_then()), group.create_task(self._end_when_told())]
            if self._options.resolve == "all":
                await self._probe_all()
            else:
                prober = self._probers[_NAME] = Prober(self._run, first=self._first)
                await prober.run()
            for task in beside:
                task.cancel()
        self._summarize()

    async def _end_when_told(self) -> None:
        await self._stop.wait()
        for prober in self._probers.values():
            prober.end()

    async def _probe_all(self) -> None:
        """Look now and then which addresses the name has, and let one prober live for each."""
        news = asyncio.Event()  # a prober has ended
        unresolved = 0
        timer = Timer(news.set)
        stopping = asyncio.ensure_future(self._stop.wait())
        stopping.add_done_callback(lambda _: news.set())
        try:
            async with asyncio.TaskGroup() as group:
                due = time.perf_counter_ns()
                while not self._stop.is_set() and not self._done(unresolved):
                    if time.perf_counter_ns() >= due:
                        found = await self._resolve(unresolved)
                        if found is None:
                            unresolved += 1
                        elif not self._stop.is_set():
                            self._follow(found, group, news)
                        seconds = self._options.interval_seconds if found is None else RESOLVE_SECONDS
                        due = max(due + int(seconds * NANOSECONDS), time.perf_counter_ns())
                        timer.set(due)
                        continue
                    await news.wait()
                    news.clear()
        finally:
            stopping.cancel()
            timer.close()

    def _done(self, unresolved: int) -> bool:
        """Whether each address, or where there never was one the name, has had its count."""
        if not self._options.count:
            return False
        if not self._probers:
            return unresolved >= self._options.count
        return all(prober.ended for prober in self._probers.values())

    async def _resolve(self, number: int) -> dict[str, Endpoint] | None:
        """Return the addresses that the name has; nothing, after counting that, where it does not resolve."""
        record = DialRecord(self._run.dialer.target)
        try:
            endpoints = await self._run.dialer.resolve_in_time(record)
        except ExchangeError as error:
            self._run.count(_NAME, error.outcome)
            self._run.failed({"address": None, "sequence": number}, Verdict(error.outcome), error.phase, error.detail)
            return None
        self._run.down.discard(_NAME)
        self._account.dialed(record.durations)
        return {str(endpoint): endpoint for endpoint in endpoints}

    def _follow(self, found: dict[str, Endpoint], group: asyncio.TaskGroup, news: asyncio.Event) -> None:
        """Begin with addresses that are new, and end with those that are gone."""
        gone = self._probers.keys() - found.keys()
        new = [address for address in found if address not in self._probers]
        for address in gone:
            self._probers.pop(address).end()
        for address in new:
            prober = Prober(self._run, found[address], self._first // len(found), news.set)
            self._probers[address] = prober
            group.create_task(prober.run())
        if gone or new:
            self._log.info("target.resolved", addresses=list(found), new=new, gone=sorted(gone))

    async def _summarize_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_SECONDS)
            self._summarize()

    def _summarize(self) -> None:
        row = [*map(operator.add, self._before, self._row)]
        outcomes = {outcome: row[SCHEMA.slot(EXCHANGES, outcome)] for outcome in Outcome}
        self._log.info(
            "probe.summary",
            exchanges=sum(outcomes.values()),
            outcomes={str(outcome): count for outcome, count in outcomes.items() if count},
            connections_opened=row[SCHEMA.slot(OPENED)],
            connections_lost=sum(row[SCHEMA.slot(LOST, outcome)] for outcome in LOST.values),
            sent_bytes=row[SCHEMA.slot(SENT)],
            received_bytes=row[SCHEMA.slot(RECEIVED)],
        )


def _plain(options: ProbeOptions) -> dict[str, Any]:
    """Return the options as the log has them."""
    fields = asdict(options)
    dial = fields.pop("dial")
    return {
        "target": dial["target"],
        **fields,
        "tls": dial["tls"],
        "proxy_protocol": dial["proxy_protocol"],
    }
