"""Counting into slots."""

from bisect import bisect_left
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import AGE_BOUNDS, LATENCY_BOUNDS, NANOSECONDS, Histogram

BOUNDS = (10, 20, 40)


def test_bound_belongs_to_its_bucket() -> None:
    """An observation at a bound is counted in the bucket of that bound, as Prometheus defines `le`."""
    slots = [0] * Histogram.size(BOUNDS)
    for value in (0, 10, 11, 40, 41, -5):
        Histogram(BOUNDS, slots).observe(value)
    assert slots == [3, 1, 1, 1, 0 + 10 + 11 + 40 + 41]


@given(
    st.lists(st.integers(0, 1000), min_size=1, unique=True).map(sorted),
    st.lists(st.integers(-10, 2000)),
    st.integers(0, 5),
)
def test_each_observation_counts_once(bounds: list[int], values: list[int], before: int) -> None:
    """Each observation is in one bucket and in the sum, and no other slot changes; a negative one counts as zero."""
    slots = [-1] * before + [0] * Histogram.size(bounds) + [-1]
    histogram = Histogram(bounds, slots, before)
    for value in values:
        histogram.observe(value)
    expected = [0] * (len(bounds) + 1)
    for value in values:
        expected[bisect_left(bounds, max(value, 0))] += 1
    assert slots == [-1] * before + expected + [sum(max(value, 0) for value in values), -1]


def test_bounds() -> None:
    """Latencies are distinguished from 50 microseconds to about 26 seconds, ages from a millisecond to three days."""
    assert LATENCY_BOUNDS[0] == 50 * NANOSECONDS // 1_000_000
    assert 26 * NANOSECONDS < LATENCY_BOUNDS[-1] < 27 * NANOSECONDS
    assert all(after == 2 * before for before, after in pairwise(LATENCY_BOUNDS))
    assert AGE_BOUNDS[0] == NANOSECONDS // 1000
    assert 3 * 86400 * NANOSECONDS < AGE_BOUNDS[-1] < 4 * 86400 * NANOSECONDS
