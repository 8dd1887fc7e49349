"""Percentiles of a histogram."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import Histogram
from stentor_client.load.metrics import FINE
from stentor_client.load.report.distribution import PERCENTILES, Distribution

# From 10 µs to a quarter of an hour, as in a network.
SAMPLES = st.lists(st.integers(10_000, FINE[-1]) | st.integers(10_000, 10_000_000), min_size=1, max_size=300)


def _slots(samples: list[int]) -> list[int]:
    slots = [0] * Histogram.size(FINE)
    histogram = Histogram(FINE, slots)
    for sample in samples:
        histogram.observe(sample)
    return slots


def test_bounds() -> None:
    """The bounds are 1 % apart, but for rounding, from a microsecond to a quarter of an hour."""
    assert all(high - low * 1.01 <= 1 for low, high in pairwise(FINE))
    assert (FINE[0], FINE[-1] >= 900 * 10**9) == (1000, True)


@given(samples=SAMPLES, other=SAMPLES)
def test_merged_percentiles_are_exact_to_one_per_cent(samples: list[int], other: list[int]) -> None:
    """The percentiles of two merged histograms are those of all samples, to 1 %; the mean and the longest are exact."""
    everything = sorted(samples + other)
    merged = [one + two for one, two in zip(_slots(samples), _slots(other), strict=True)]
    found = Distribution.of(merged, everything[-1])
    for percent in (*PERCENTILES, 1.0, 25.0, 100.0):
        exact = everything[math.ceil(percent / 100 * len(everything)) - 1]
        assert math.isclose(found.percentile(percent) * 1e9, exact, rel_tol=0.01)
    assert math.isclose(found.mean * 1e9, sum(everything) / len(everything))
    assert (found.count, found.most) == (len(everything), everything[-1] / 1e9)
    assert sum(count for _, count in found.steps()) == len(everything)
    assert found.steps()[-1][0] == found.most


def test_extremes() -> None:
    """Without durations there are no figures; beyond the last bound, the longest is exact if it was kept."""
    nothing = Distribution.of(_slots([]), 0)
    assert all(math.isnan(each) for each in (nothing.percentile(50), nothing.mean, nothing.most))
    assert nothing.steps() == []
    slots = _slots([5 * FINE[-1]])
    assert Distribution.of(slots).percentile(50) * 1e9 > FINE[-1]
    assert Distribution.of(slots, 5 * FINE[-1]).most * 1e9 == 5 * FINE[-1]
