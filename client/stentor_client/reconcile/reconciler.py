"""Reads both sides until they agree, or until the time is up."""

import time
from asyncio import sleep
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from stentor_chassis.failure import Failure
from stentor_client.reconcile.bracket import Bracket, Point, certain, narrowest, widest
from stentor_client.reconcile.judging import Comparison, Conclusion, judge, lasts
from stentor_client.reconcile.quantity import COUNTS, QUANTITIES, Quantity, Side
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.reading import Counts, Reading, of_client, of_server, read
from stentor_client.reconcile.watch import Watch
from stentor_client.verify.outcomes import NOT_REACHED

# Bytes under way arrive within this many mean exchanges, or are lost; a busy machine needs a moment to count them.
_SETTLING_EXCHANGES = 3
_SETTLING_SECONDS = 0.05
_UNKNOWN_SETTLING_SECONDS = 0.25  # while no exchange shows how long the path is
_LONGEST_PAUSE_SECONDS = 0.1  # between readings, so that reading causes little load
_SHORTEST_PAUSE_SECONDS = 0.002
_POLL_SECONDS = 0.5  # between questions to Prometheus, which scrapes less often
_FEWEST_READINGS = 2  # to see whether anything moved
_MOST_READINGS = 8192  # of a side: minutes, for queries that count late
_COMPARED_READINGS = 512  # the last ones, of two sides


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
    """Compares the counts of servers and their clients while they move."""

    def __init__(
        self,
        urls: Mapping[Side, Sequence[str]],
        watches: Sequence[Watch],
        timeout: float,
        accepted: float | None = None,
    ) -> None:
        """Look for a moment when all counts agree, for at most `timeout` seconds; `accepted` is a share of a count."""
        self._urls = urls
        self._watches = watches
        self._timeout = timeout
        self._accepted = accepted
        self._readings: dict[Side, list[Reading]] = {side: [] for side in Side}
        self._last: dict[Side, Reading] = {}
        self._restarted: Side | None = None
        self._first: dict[Side, Counts] = {}  # at the baseline; empty if all is compared
        self._baseline: dict[Quantity | Watch, Bracket] = {}

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
        poll_at = time.monotonic() + _POLL_SECONDS / 2  # after the first readings
        while True:
            for side in (Side.CLIENT, Side.SERVER, Side.CLIENT, Side.SERVER):
                await self._read(side)
            late = time.monotonic() >= deadline
            if time.monotonic() >= poll_at or (late and any(watch.value is None for watch in self._watches)):
                poll_at = time.monotonic() + _POLL_SECONDS
                for watch in self._watches:
                    await watch.poll()
            known = all(len(readings) >= _FEWEST_READINGS for readings in self._readings.values())
            # Not in every round: comparing takes time, in which nothing is read.
            if known and pause == _SHORTEST_PAUSE_SECONDS and enough():
                return
            if late:
                self._must_be_readable()
            if late and known:
                return
            await sleep(pause)
            # Short pauses recur: two long ones would hide any settled moment shorter than both.
            pause = 2 * pause if 2 * pause <= _LONGEST_PAUSE_SECONDS else _SHORTEST_PAUSE_SECONDS

    async def _read(self, side: Side) -> None:
        reading = await read(self._urls[side], of_client if side is Side.CLIENT else of_server)
        if side in self._last and not reading.follows(self._last[side]):
            if self._first:
                message = f"a {side} restarted, and its earlier counts are gone: run the comparison again"
                raise Failure(NOT_REACHED, message)
            self._forget()
            self._restarted = side
        self._readings[side].append(reading)
        del self._readings[side][:-_MOST_READINGS]
        self._last[side] = reading

    def _must_be_readable(self) -> None:
        """Raise `Failure` if there will never be enough to compare."""
        if self._restarted and any(len(readings) < _FEWEST_READINGS for readings in self._readings.values()):
            message = f"a {self._restarted} seems to restart all the time: is there more than one behind its URL?"
            raise Failure(NOT_REACHED, message)
        for watch in self._watches:
            if watch.value is None:
                message = f"{watch.query}: it returns nothing; does the series exist, and is it scraped?"
                raise Failure(NOT_REACHED, message)

    def _forget(self) -> None:
        """Discard all readings: they belong to other counts."""
        for readings in self._readings.values():
            readings.clear()
        for watch in self._watches:
            watch.forget()

    def _keep_baseline(self) -> None:
        """Keep the present differences, to compare only what is counted from now on."""
        narrow = ((key, narrowest(found)) for key, found in self._brackets())
        self._baseline = {key: bracket for key, bracket in narrow if bracket}
        self._first = {side: reading.counts for side, reading in self._last.items()}
        self._forget()

    def _brackets(self) -> Iterator[tuple[Quantity | Watch, list[Bracket]]]:
        """Yield what is compared, with the brackets that contain its true difference."""
        settling, losing = self._settling(), self._last[Side.CLIENT].counts["failed"] > 0
        for quantity in QUANTITIES:
            yield quantity, certain(*self._points(quantity), settling, losing=losing)
        for watch in self._watches:
            yield watch, watch.brackets(self._exact(watch.query), settling, losing=losing)

    def _points(self, quantity: Quantity) -> tuple[list[Point], list[Point]]:
        left, right = (
            count.points(self._readings[count.side][-_COMPARED_READINGS:]) for count in (quantity.left, quantity.right)
        )
        return left, right

    def _exact(self, query: Query) -> list[Point]:
        return COUNTS[query.side][query.name].points(self._readings[query.side])

    def _settling(self) -> float:
        """Return in how many seconds bytes under way arrive."""
        mean = self._last[Side.CLIENT].exchange_seconds
        return max(_SETTLING_EXCHANGES * mean, _SETTLING_SECONDS) if mean else _UNKNOWN_SETTLING_SECONDS

    def _at_rest(self) -> bool:
        """Return whether every difference is exact."""
        settling = self._settling()
        return all(lasts(found, settling if isinstance(key, Quantity) else 0) for key, found in self._brackets())

    def _agreed(self) -> bool:
        enough = {Conclusion.AGREE}
        if self._accepted is not None:
            enough |= {Conclusion.WITHIN, Conclusion.ACCEPTED}
        return all(comparison.conclusion in enough for _, comparison in self._compared())

    def _compared(self) -> Iterator[tuple[Quantity | Watch, Comparison]]:
        """Yield what is compared, with the conclusion."""
        failed = self._counts(Side.CLIENT)["failed"]
        for key, found in self._brackets():
            if isinstance(key, Quantity) and key.needs_good_exchanges and failed:
                continue
            baseline = self._baseline.get(key)
            of_time = [bracket.since(baseline) for bracket in found] if baseline else []
            lasting = self._settling() if isinstance(key, Quantity) else 0
            yield key, judge(of_time if self._first else found, lasting, self._accepted) or self._unknown(key)

    def _unknown(self, key: Quantity | Watch) -> Comparison:
        """Return the conclusion without any bracket that is certain."""
        if isinstance(key, Quantity):
            left, right = self._points(key)
            reason = "bytes were moving or under way all the time; a longer --timeout may find a quiet moment"
        else:
            left, right = self._exact(key.query), [Point(0, 0, key.value or 0)]
            reason = key.why_unknown
        bracket = widest(left, right)
        baseline = self._baseline.get(key)
        if self._first:
            bracket = bracket.since(baseline or bracket)
            reason = reason if baseline else f"when the time began, {reason}"
        return Comparison(Conclusion.UNKNOWN, bracket, reason)

    def _counts(self, side: Side) -> Counts:
        first = self._first.get(side, {})
        return {name: count - first.get(name, 0) for name, count in self._last[side].counts.items()}

    def _result(self) -> Result:
        compared = [*self._compared()]
        clients, servers = (self._last[side].started for side in (Side.CLIENT, Side.SERVER))
        return Result(
            quantities=[(key, comparison) for key, comparison in compared if isinstance(key, Quantity)],
            queries=[(key.query, comparison) for key, comparison in compared if isinstance(key, Watch)],
            client=self._counts(Side.CLIENT),
            server=self._counts(Side.SERVER),
            clients_started=min(clients),
            server_started=min(servers),
        )
