"""Latency distributions in slots that any process can sum."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Protocol

NANOSECONDS = 1_000_000_000

# 50 microseconds doubled up to about 26 s: fine enough for loopback, wide enough for an outage.
LATENCY_BOUNDS = tuple(50_000 << n for n in range(20))

# A millisecond quadrupled up to about three days: connections last from a blink to days.
AGE_BOUNDS = tuple(1_000_000 << 2 * n for n in range(15))


class Slots(Protocol):
    """Integers by number: a row of the shared mapping, or a plain list."""

    def __getitem__(self, slot: int, /) -> int:
        """Read one."""

    def __setitem__(self, slot: int, value: int, /) -> None:
        """Write one."""


class Histogram:
    """Counts integer observations in `len(bounds) + 2` slots.

    The slots hold one count per bound (observations at or below it), the count above the last bound, and the sum of
    all observations. Only integers are added, so histograms of several processes merge exactly, slot by slot.
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
        """Return how many slots a histogram with these bounds takes."""
        return len(bounds) + 2

    def observe(self, value: int) -> None:
        """Add one observation; below zero it counts as zero."""
        value = max(value, 0)
        self._slots[self._first + bisect_left(self._bounds, value)] += 1
        self._slots[self._sum] += value
