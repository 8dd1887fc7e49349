"""Percentiles out of a histogram."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.metrics import FINE

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


@dataclass(frozen=True)
class Distribution:
    """Durations, as the slots of a histogram with the bounds `FINE` hold them, in seconds for whoever asks."""

    counts: Sequence[int]  # one for each bound, and one above the last
    sum_nanoseconds: int
    most_nanoseconds: int | None = None  # the longest, where somebody kept it

    @classmethod
    def of(cls, slots: Sequence[int], most: int | None = None) -> "Distribution":
        """Read what a histogram holds."""
        return cls(slots[:-1], slots[-1], most)

    @property
    def count(self) -> int:
        """How many there are."""
        return self._up_to[-1]

    @cached_property
    def _up_to(self) -> list[int]:
        """How many do not exceed each bound."""
        return list(accumulate(self.counts))

    @property
    def mean(self) -> float:
        """Their mean, in seconds; exact."""
        return self.sum_nanoseconds / self.count / NANOSECONDS if self.count else math.nan

    @property
    def most(self) -> float:
        """The longest, in seconds: exact where it was kept."""
        return self.percentile(100.0) if self.most_nanoseconds is None else self.most_nanoseconds / NANOSECONDS

    def percentile(self, percent: float) -> float:
        """Return what so many per cent do not exceed, in seconds, to half a per cent; NaN where there is nothing."""
        rank = math.ceil(round(percent * self.count / 100, 6))  # 99.9 / 100 × 1000 is a little more than 999
        return self._within(bisect_left(self._up_to, max(rank, 1))) / NANOSECONDS if self.count else math.nan

    def _within(self, number: int) -> float:
        """Return the middle of a bucket, in nanoseconds."""
        low = FINE[number - 1] if number else 0
        high = FINE[number] if number < len(FINE) else 2 * FINE[-1]
        middle = (low + high) / 2
        return middle if self.most_nanoseconds is None else min(middle, self.most_nanoseconds)

    def steps(self) -> list[tuple[float, int]]:
        """Return the upper bound, in seconds, and the count of every bucket that has any."""
        bounds = (*FINE, 2 * FINE[-1])
        return [(bounds[number] / NANOSECONDS, count) for number, count in enumerate(self.counts) if count]
