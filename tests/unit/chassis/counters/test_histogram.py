"""Counting into slots."""

from bisect import bisect_left
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import LATENCY_BOUNDS, NANOSECONDS, Histogram

BOUNDS = (10, 20, 40)
some_bounds = st.lists(st.integers(0, 1000), min_size=1, unique=True).map(lambda bounds: tuple(sorted(bounds)))
observations = st.lists(st.integers(-10, 2000))


def _slots(bounds: tuple[int, ...], values: list[int]) -> list[int]:
    slots = [0] * Histogram.size(bounds)
    histogram = Histogram(bounds, slots)
    for value in values:
        histogram.observe(value)
    return slots


def test_bound_belongs_to_its_bucket() -> None:
    """An observation at a bound is counted in that bound's bucket, as Prometheus' `le` wants it."""
    assert _slots(BOUNDS, [0, 10, 11, 40, 41]) == [2, 1, 1, 1, 0 + 10 + 11 + 40 + 41]


def test_below_zero_is_zero() -> None:
    """An observation below zero, of a clock that stepped, counts as zero and takes nothing off the sum."""
    assert _slots(BOUNDS, [-5]) == [1, 0, 0, 0, 0]


@given(some_bounds, observations)
def test_each_observation_counts_once(bounds: tuple[int, ...], values: list[int]) -> None:
    """Every observation is in one bucket, the first whose bound it does not exceed, and in the sum."""
    *counts, total = _slots(bounds, values)
    expected = [0] * (len(bounds) + 1)
    for value in values:
        expected[bisect_left(bounds, max(value, 0))] += 1
    assert expected == counts
    assert sum(max(value, 0) for value in values) == total


@given(some_bounds, observations, observations)
def test_merges_by_addition(bounds: tuple[int, ...], some: list[int], others: list[int]) -> None:
    """Slot by slot, two histograms add up to the one that saw everything."""
    merged = [a + b for a, b in zip(_slots(bounds, some), _slots(bounds, others), strict=True)]
    assert _slots(bounds, some + others) == merged


@given(observations, st.integers(0, 5), st.integers(0, 5))
def test_stays_within_its_slots(values: list[int], before: int, after: int) -> None:
    """A histogram writes to no slot before its first or behind its last."""
    own = Histogram.size(BOUNDS)
    slots = [-1] * before + [0] * own + [-1] * after
    histogram = Histogram(BOUNDS, slots, before)
    for value in values:
        histogram.observe(value)
    assert [-1] * before == slots[:before]
    assert [-1] * after == slots[before + own :]
    assert _slots(BOUNDS, values) == slots[before : before + own]


def test_latency_bounds() -> None:
    """Latencies are told apart from 50 microseconds to about 26 seconds, each bound twice the one before."""
    assert LATENCY_BOUNDS[0] == 50 * NANOSECONDS // 1_000_000
    assert 26 * NANOSECONDS < LATENCY_BOUNDS[-1] < 27 * NANOSECONDS
    assert all(after == 2 * before for before, after in pairwise(LATENCY_BOUNDS))
