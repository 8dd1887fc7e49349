"""Counting into slots."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import Histogram


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
