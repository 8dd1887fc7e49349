"""Reads both sides until they agree, or until the time is up."""

import time
from asyncio import sleep
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stentor_chassis.failure import Failure
from stentor_client.reconcile.bracket import (
    Bracket,
    Comparison,
    Conclusion,
    Point,
    brackets,
    compare,
    compare_late,
    narrowest,
    widest,
)
from stentor_client.reconcile.prometheus import ask
from stentor_client.reconcile.quantity import COUNTS, QUANTITIES, Quantity, Side
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.reading import Counts, Reading, of_client, of_server, read
from stentor_client.verify.outcomes import NOT_REACHED

# Bytes under way arrive within this many mean exchanges, or are lost; a busy machine needs a moment to count them.
_SETTLING_EXCHANGES = 3
_SETTLING_SECONDS = 0.05
_UNKNOWN_SETTLING_SECONDS = 0.25  # while no exchange shows how long the path is
_SETTLINGS_PER_TIMEOUT = 4  # so that even a short time has room for a settled moment
_LONGEST_PAUSE_SECONDS = 0.1  # between readings, so that reading causes little load
_SHORTEST_PAUSE_SECONDS = 0.002
_FEWEST_READINGS = 2  # to see whether anything moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The base URLs of the counts."""

    server: str
    clients: Sequence[str]
    prometheus: str
    queries: Sequence[Query] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The comparisons, and the counts of the last readings, or how much they grew in the time compared."""

    quantities: Sequence[tuple[Quantity, Comparison]]
    queries: Sequence[tuple[Query, Comparison]]
    client: Counts
    server: Counts
    clients_started: float  # the first of them, in Unix time; 0 if one does not report it
    server_started: float


class Reconciler:
    """Compares the counts of one server and its clients while they move."""

    def __init__(self, sources: Sources, timeout: float) -> None:
        """Look for a moment when all counts agree, for at most `timeout` seconds."""
        self._sources = sources
        self._timeout = timeout
        self._readings: dict[Side, list[Reading]] = {side: [] for side in Side}
        self._answers: dict[Query, list[Point]] = {query: [] for query in sources.queries}
        self._last: dict[Side, Reading] = {}
        self._restarted: Side | None = None
        self._first: dict[Side, Counts] = {}  # at the baseline; empty without one
        self._baseline: dict[Quantity | Query, Bracket] = {}

    async def run(self, during: float | None = None) -> Result:
        """Compare all counts, or with `during` how much they grow in so many seconds from now on.

        Raises:
            Failure: counts cannot be read; the message says which, and why.

        """
        if during is not None:
            await self._observe(self._at_rest)
            self._keep_baseline()
            await sleep(during)
        await self._observe(self._agreed)
        return self._result()

    async def _observe(self, enough: Callable[[], bool]) -> None:
        """Read in rounds, each side between two readings of the other, with pauses."""
        deadline = time.monotonic() + self._timeout
        pause = _SHORTEST_PAUSE_SECONDS
        while True:
            for side in (Side.CLIENT, Side.SERVER, Side.CLIENT, Side.SERVER):
                await self._read(side)
            for query, points in self._answers.items():
                answer = await ask(self._sources.prometheus, query)
                if answer:
                    points.append(answer)
            if enough():
                return
            if time.monotonic() >= deadline and self._has_enough():
                return
            await sleep(pause)
            # Short pauses recur: two long ones would hide any settled moment shorter than both.
            pause = 2 * pause if 2 * pause <= _LONGEST_PAUSE_SECONDS else _SHORTEST_PAUSE_SECONDS

    async def _read(self, side: Side) -> None:
        urls = self._sources.clients if side is Side.CLIENT else [self._sources.server]
        reading = await read(urls, of_client if side is Side.CLIENT else of_server)
        if side in self._last and not reading.follows(self._last[side]):
            if self._baseline:
                message = f"a {side} restarted, and its earlier counts are gone: run the comparison again"
                raise Failure(NOT_REACHED, message)
            self._forget()
            self._restarted = side
        self._readings[side].append(reading)
        self._last[side] = reading

    def _has_enough(self) -> bool:
        """Return whether there are enough readings to compare; raise `Failure` if there never will be."""
        if any(len(readings) < _FEWEST_READINGS for readings in self._readings.values()):
            if self._restarted is None:
                return False
            message = f"a {self._restarted} seems to restart all the time: is there more than one behind its URL?"
            raise Failure(NOT_REACHED, message)
        for query, points in self._answers.items():
            if not points:
                raise Failure(NOT_REACHED, f"{query}: it returns nothing; does the series exist, and is it scraped?")
        return True

    def _forget(self) -> None:
        """Discard all readings: they belong to other counts."""
        for readings in self._readings.values():
            readings.clear()
        for points in self._answers.values():
            points.clear()

    def _keep_baseline(self) -> None:
        """Keep the present differences, to compare only what is counted from now on."""
        for quantity in QUANTITIES:
            left, right = self._points(quantity)
            bracket = narrowest(self._settled(quantity)) or narrowest(brackets(left, right))
            self._baseline[quantity] = bracket or widest(left, right)
        for query, points in self._answers.items():
            self._baseline[query] = widest(self._exact(query), points)
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
        """Return whether every difference is exact; never if there are queries, whose results arrive late."""
        if self._answers:
            return False
        settled = [narrowest(self._settled(quantity)) for quantity in QUANTITIES]
        return all(bracket is not None and not bracket.width for bracket in settled)

    def _agreed(self) -> bool:
        compared = [comparison for _, comparison in (*self._quantities(), *self._queries())]
        return all(comparison is not None and comparison.conclusion is Conclusion.AGREE for comparison in compared)

    def _quantities(self) -> list[tuple[Quantity, Comparison | None]]:
        good = not self._counts(Side.CLIENT)["failed"]
        return [
            (quantity, compare(*self._points(quantity), self._settling(), self._baseline.get(quantity)))
            for quantity in QUANTITIES
            if good or not quantity.needs_good_exchanges
        ]

    def _queries(self) -> list[tuple[Query, Comparison | None]]:
        return [
            (query, compare_late(self._exact(query), points, self._baseline.get(query)))
            for query, points in self._answers.items()
        ]

    def _counts(self, side: Side) -> Counts:
        first = self._first.get(side, {})
        return {name: count - first.get(name, 0) for name, count in self._last[side].counts.items()}

    def _result(self) -> Result:
        clients, server = (self._last[side].started for side in (Side.CLIENT, Side.SERVER))
        return Result(
            quantities=[(quantity, comparison) for quantity, comparison in self._quantities() if comparison],
            queries=[(query, comparison) for query, comparison in self._queries() if comparison],
            client=self._counts(Side.CLIENT),
            server=self._counts(Side.SERVER),
            clients_started=min(clients),
            server_started=min(server),
        )
