"""Latency distributions in plain integer slots.

Written by hand because an observation costs two additions, and slots of several processes add up exactly.
"""

from bisect import bisect_left
from collections.abc import Sequence

NANOSECONDS = 1_000_000_000

# From 50 microseconds, doubling, to about 26 s: fine enough for loopback, wide enough for an outage.
LATENCY_BOUNDS = tuple(50_000 << n for n in range(20))

# From a millisecond, quadrupling, to about three days, for the ages of connections.
AGE_BOUNDS = tuple(1_000_000 << 2 * n for n in range(15))


# Integers by index: a row of the shared mapping, or a list.
Slots = memoryview | list[int]


class Histogram:
    """Counts integer observations in `len(bounds) + 2` slots.

    There is one count per bound, of observations at or below it and above the one before; the count above the last
    bound; and the sum of all observations.
    """

    __slots__ = ("_bounds", "_first", "_slots", "_sum")

    def __init__(self, bounds: Sequence[int], slots: Slots, first: int = 0) -> None:
        """Count in `slots[first:first + size(bounds)]`; `bounds` ascend, in the unit that is observed."""
        self._bounds = bounds
        self._slots = slots
        self._first = first
        self._sum = first + len(bounds) + 1

    @staticmethod
    def size(bounds: Sequence[int]) -> int:
        """Return how many slots a histogram with these bounds needs."""
        return len(bounds) + 2

    def observe(self, value: int) -> None:
        """Count one observation; a negative one counts as zero."""
        value = max(value, 0)
        self._slots[self._first + bisect_left(self._bounds, value)] += 1
        self._slots[self._sum] += value
