"""Percentiles of a histogram."""

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
    """Durations counted in a histogram with the bounds `FINE`; what it returns is in seconds."""

    counts: Sequence[int]  # one for each bound, and one above the last
    sum_nanoseconds: int
    most_nanoseconds: int | None = None  # the longest, if it was kept

    @classmethod
    def of(cls, slots: Sequence[int], most: int | None = None) -> "Distribution":
        """Read the slots of a histogram."""
        return cls(slots[:-1], slots[-1], most)

    @cached_property
    def _up_to(self) -> list[int]:
        """For each bound, the number of durations up to it."""
        return list(accumulate(self.counts))

    @property
    def count(self) -> int:
        """The number of durations."""
        return self._up_to[-1]

    @property
    def mean(self) -> float:
        """Their mean, which is exact; NaN if there are none."""
        return self.sum_nanoseconds / self.count / NANOSECONDS if self.count else math.nan

    @property
    def most(self) -> float:
        """The longest, exact if it was kept; NaN if there are none."""
        kept = self.most_nanoseconds if self.count else None
        return self.percentile(100.0) if kept is None else kept / NANOSECONDS

    def percentile(self, percent: float) -> float:
        """Return the time that this share does not exceed, to half a per cent; NaN if there are none."""
        rank = math.ceil(round(percent * self.count / 100, 6))  # 99.9 / 100 × 1000 is a little more than 999
        if not self.count:
            return math.nan
        bucket = bisect_left(self._up_to, max(rank, 1))
        low = FINE[bucket - 1] if bucket else 0
        return self._within((low + _upper(bucket)) / 2)

    def steps(self) -> list[tuple[float, int]]:
        """Return the upper bound and the count of every bucket that is not empty."""
        return [(self._within(_upper(bucket)), count) for bucket, count in enumerate(self.counts) if count]

    def _within(self, nanoseconds: float) -> float:
        longest = nanoseconds if self.most_nanoseconds is None else self.most_nanoseconds
        return min(nanoseconds, longest) / NANOSECONDS


def _upper(bucket: int) -> int:
    return FINE[bucket] if bucket < len(FINE) else 2 * FINE[-1]
