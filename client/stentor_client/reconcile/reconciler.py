"""Reads both sides until they agree, or until there is no time left."""

import time
from asyncio import sleep
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stentor_chassis.failure import Failure
from stentor_client.reconcile.prometheus import Prometheus
from stentor_client.reconcile.quantity import COUNTS, QUANTITIES, Quantity
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.reading import Counts, Reading, of_client, of_server, read
from stentor_client.reconcile.side import Side
from stentor_client.reconcile.window import (
    Bracket,
    Comparison,
    Conclusion,
    Point,
    brackets,
    judge,
    judge_late,
    quietest,
    whole_time,
)
from stentor_client.verify.outcomes import NOT_REACHED

# What is under way arrives within this time, or it is lost: in that of so many exchanges in the mean, and at the least
# in what a busy machine may take to count it.
_SETTLING_EXCHANGES = 3
_SETTLING_SECONDS = 0.05
_UNKNOWN_SETTLING_SECONDS = 0.25  # where no exchange tells how long the way is
_SETTLINGS_PER_TIMEOUT = 4  # so that even a short time has room for a moment that is settled
_LONGEST_PAUSE_SECONDS = 0.1  # between readings, so that reading is no load
_SHORTEST_PAUSE_SECONDS = 0.002
_FEWEST_READINGS = 2  # to see whether anything moved
_CHECK_SECONDS = 3.0  # one of the server's health checks that is not over by then never will be


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the counts are, by base URLs."""

    server: str
    clients: Sequence[str]
    prometheus: str
    queries: Sequence[Query] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it; counts are those of the last readings, and with a time to compare, what they grew by."""

    judged: Sequence[tuple[Quantity, Comparison]]
    answered: Sequence[tuple[Query, Comparison]]
    client: Counts
    server: Counts
    clients_started: float  # the first of them, in Unix time; 0 where one does not say
    server_started: float


class Reconciler:
    """Holds the counts of one server and its clients against each other, while they move."""

    def __init__(self, sources: Sources, timeout: float) -> None:
        """Try for `timeout` seconds to see a moment at which all agree."""
        self._sources = sources
        self._prometheus = Prometheus(sources.prometheus)
        self._timeout = timeout
        self._readings: dict[Side, list[Reading]] = {side: [] for side in Side}
        self._answers: dict[Query, list[Point]] = {query: [] for query in sources.queries}
        self._last: dict[Side, Reading] = {}
        self._began_anew: Side | None = None
        self._first: dict[Side, Counts] = {}  # those at the baseline; empty without one
        self._baseline: dict[Quantity | Query, Bracket] = {}

    async def run(self, during: float | None = None) -> Result:
        """Compare all that was counted, or with `during` what is counted in the seconds from now on.

        Raises:
            Failure: in one line, what cannot be read, and why.

        """
        if during is not None:
            await self._observe(self._at_rest)
            self._keep_baseline()
            await sleep(during)
        await self._observe(self._agreed)
        return self._result()

    async def _observe(self, enough: Callable[[], bool]) -> None:
        """Read again and again: each side between two readings of the other, and then a pause."""
        deadline = time.monotonic() + self._timeout
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            for side in (Side.CLIENT, Side.SERVER, Side.CLIENT, Side.SERVER):
                await self._read(side)
            for query, points in self._answers.items():
                answer = await self._prometheus.ask(query)
                if answer:
                    points.append(answer)
            if enough():
                return
            if time.monotonic() >= deadline and self._has_something_to_tell():
                return
            await sleep(pause)
            # Short pauses come back: between two long ones no moment is seen to be settled for less than both.
            pause = 2 * pause if 2 * pause <= _LONGEST_PAUSE_SECONDS else _SHORTEST_PAUSE_SECONDS

    async def _read(self, side: Side) -> None:
        urls = self._sources.clients if side is Side.CLIENT else [self._sources.server]
        reading = await read(urls, of_client if side is Side.CLIENT else of_server)
        if side in self._last and not reading.follows(self._last[side]):
            if self._baseline:
                message = f"a {side} started anew, and what it had counted before is gone: compare once more"
                raise Failure(NOT_REACHED, message)
            self._forget()
            self._began_anew = side
        self._readings[side].append(reading)
        self._last[side] = reading

    def _has_something_to_tell(self) -> bool:
        """Whether there are enough readings to judge by; raise `Failure` where there cannot be."""
        if any(len(readings) < _FEWEST_READINGS for readings in self._readings.values()):
            if self._began_anew is None:
                return False
            message = f"a {self._began_anew} starts anew all the time: is there more than one behind its URL?"
            raise Failure(NOT_REACHED, message)
        for query, points in self._answers.items():
            if not points:
                raise Failure(NOT_REACHED, f"{query}: it returns nothing; is the series there, and scraped already?")
        return True

    def _forget(self) -> None:
        """Begin with the readings from the beginning: those of before are of other counts."""
        for readings in self._readings.values():
            readings.clear()
        for points in self._answers.values():
            points.clear()

    def _keep_baseline(self) -> None:
        """Compare from here on what is counted since: keep the differences as they are now."""
        for quantity in QUANTITIES:
            left, right = self._points(quantity)
            bracket = quietest(self._settled(quantity)) or quietest(brackets(left, right))
            self._baseline[quantity] = bracket or whole_time(left, right)
        for query, points in self._answers.items():
            self._baseline[query] = whole_time(self._exact(query), points)
        self._first = {side: reading.counts for side, reading in self._last.items()}
        self._forget()

    def _points(self, quantity: Quantity) -> tuple[list[Point], list[Point]]:
        left, right = (count.points(self._readings[count.side]) for count in (quantity.left, quantity.right))
        return left, right

    def _exact(self, query: Query) -> list[Point]:
        return COUNTS[query.side][query.name].points(self._readings[query.side])

    def _settled(self, quantity: Quantity) -> list[Bracket]:
        settling = self._settling()
        return brackets(*self._points(quantity), settling, settling)

    def _settling(self) -> float:
        mean = self._last[Side.CLIENT].exchange_seconds
        seconds = max(_SETTLING_EXCHANGES * mean, _SETTLING_SECONDS) if mean else _UNKNOWN_SETTLING_SECONDS
        return min(seconds, self._timeout / _SETTLINGS_PER_TIMEOUT)

    def _at_rest(self) -> bool:
        """Whether every difference is known exactly; what Prometheus tells late needs all the time there is.

        What health checks that never ended may have moved, is the same before and after.
        """
        if self._answers:
            return False
        readings = self._readings[Side.SERVER]
        lasting = readings[-1].began - readings[0].ended > _CHECK_SECONDS
        for quantity in QUANTITIES:
            bracket = quietest(self._settled(quantity))
            slack = min(point.slack for point in self._points(quantity)[1]) if lasting else 0
            if bracket is None or bracket.width > slack:
                return False
        return True

    def _agreed(self) -> bool:
        judgements = [judgement for _, judgement in (*self._judge(), *self._judge_answers())]
        return all(judgement is not None and judgement.verdict is Conclusion.AGREE for judgement in judgements)

    def _judge(self) -> list[tuple[Quantity, Comparison | None]]:
        good = not self._counts(Side.CLIENT)["failed"]
        return [
            (quantity, judge(*self._points(quantity), self._settling(), self._baseline.get(quantity)))
            for quantity in QUANTITIES
            if good or not quantity.needs_good_exchanges
        ]

    def _judge_answers(self) -> list[tuple[Query, Comparison | None]]:
        return [
            (query, judge_late(self._exact(query), points, self._baseline.get(query)))
            for query, points in self._answers.items()
        ]

    def _counts(self, side: Side) -> Counts:
        first = self._first.get(side, {})
        return {name: count - first.get(name, 0) for name, count in self._last[side].counts.items()}

    def _result(self) -> Result:
        clients, server = (self._last[side].started for side in (Side.CLIENT, Side.SERVER))
        return Result(
            judged=[(quantity, judgement) for quantity, judgement in self._judge() if judgement],
            answered=[(query, judgement) for query, judgement in self._judge_answers() if judgement],
            client=self._counts(Side.CLIENT),
            server=self._counts(Side.SERVER),
            clients_started=min(clients),
            server_started=min(server),
        )
