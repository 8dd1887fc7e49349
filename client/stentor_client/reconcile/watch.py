"""Learns when Prometheus took the samples that a query adds up."""

import math
import time
from itertools import pairwise

from stentor_client.reconcile.bracket import Bracket, Point, settled
from stentor_client.reconcile.prometheus import Labels, Prometheus
from stentor_client.reconcile.query import Query

# Of each scrape Prometheus keeps how long it took, with the time of its samples: when the scrape began.
_SCRAPES = "scrape_duration_seconds"
_STEP_SECONDS = 0.01  # a rise of the value is found as exactly
_RANGE = "11ms"  # of a step, and more, because it does not include its beginning
_HISTORY_SECONDS = 100.0  # in which everything is scraped; Prometheus returns at most 11,000 steps
_LONGEST_SCRAPE_SECONDS = 15.0  # samples are visible when their scrape has ended
_TOLERANCE_SECONDS = 0.005  # Prometheus shifts times by up to 2 ms, and writes milliseconds


class Watch:
    """The values of a query, each with the time in which the services were scraped for it."""

    def __init__(self, url: str, query: Query) -> None:
        """Ask the Prometheus at `url`."""
        self.value: float | None = None  # the present one; None as long as there is no such series
        self.untimed = False  # whether it rose although nothing was scraped
        self.query = query
        self._prometheus = Prometheus(url, query)
        self._points: list[Point] = []
        self._lasting: list[Point] = []  # values that did not rise, each from any moment since the oldest scrape
        self._asked = 0.0  # when it was last asked, by Prometheus' clock, as all times that follow
        self._rose = 0.0  # the last known rise
        self._scraped: dict[Labels, tuple[float, float]] = {}  # begin and duration of the last scrape with a rise

    @property
    def why_unknown(self) -> str:
        """Why there is no value that can be compared."""
        if self.untimed:
            return (
                f"its value rises at other times than {_SCRAPES} says: query what is scraped, not what a rule records"
            )
        return (
            "no scrape changed its value between two exact readings; --timeout must be longer than two scrape intervals"
        )

    def forget(self) -> None:
        """Forget all values, because they belong to other counts."""
        self._points.clear()
        self._lasting.clear()

    def brackets(self, exact: list[Point], settling: float, *, losing: bool) -> list[Bracket]:
        """Return the brackets of all values between readings of the exact count.

        A value that did not rise counts only if nothing moved since the oldest scrape: it may be from any later one.
        """
        if self.untimed:
            return []
        found = settled(exact, self._points, settling, losing=losing)
        quiet = [each for each in settled(exact, self._lasting, settling, losing=losing) if not each.moved]
        return sorted(found + quiet, key=lambda bracket: bracket.at)

    async def poll(self) -> None:
        """Ask for the present value, and for what was scraped since the last time.

        Raises:
            Failure: the query is wrong, or there is no answer; the message says why.

        """
        oldest = await self._prometheus.present(f"min(timestamp({_SCRAPES}))")
        began = time.monotonic()
        answer = await self._prometheus.present(self.query.promql)
        ended = time.monotonic()
        if answer is None:
            return
        now, self.value = answer

        def point(first: float, last: float, value: float) -> Point:
            """Turn times of Prometheus' clock into those of this one, at which it was `now` at some moment."""
            earliest, latest = began + first - now, ended + last - now
            return Point(earliest - _TOLERANCE_SECONDS, latest + _TOLERANCE_SECONDS, value)

        rises = await self._rises(now)
        for at, value in rises:
            if not await self._find_scrapes(at):
                self.untimed = True
                return
            scrapes = self._scraped.values()
            self._points.append(point(min(begin for begin, _ in scrapes), max(map(sum, scrapes)), value))
        if oldest and not rises:
            self._lasting.append(point(oldest[1], now, self.value))

    async def _rises(self, now: float) -> list[tuple[float, float]]:
        """Return when the value rose since the last time, at most a step before, and to what."""
        first = max(now - _HISTORY_SECONDS, self._asked - _LONGEST_SCRAPE_SECONDS)
        start = math.floor(first / _STEP_SECONDS) * _STEP_SECONDS  # so that steps are the same each time
        self._asked = now
        steps = {"start": f"{start:.2f}", "end": f"{now:.3f}", "step": f"{_STEP_SECONDS}"}
        series = await self._prometheus.samples("query_range", query=self.query.promql, **steps)
        rises = sorted(
            (at, value)
            for _, values in series
            for (_, before), (at, value) in pairwise(values)
            if value > before and at > self._rose + _STEP_SECONDS / 2
        )
        self._rose = max([self._rose, *(at for at, _ in rises)])
        return rises

    async def _find_scrapes(self, at: float) -> bool:
        """Keep the scrapes that began in the step up to this time; return whether there is one."""
        series = await self._prometheus.samples("query", query=f"{_SCRAPES}[{_RANGE}]", time=f"{at:.3f}")
        found = {labels: values[-1] for labels, values in series if values}
        if found.keys() - self._scraped.keys():
            self._points.clear()  # they are also from older scrapes of this one
        self._scraped |= found
        return bool(found)
