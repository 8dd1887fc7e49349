"""Percentiles out of a histogram."""

import math
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.histogram import Histogram
from stentor_client.load.metrics import FINE
from stentor_client.load.report.distribution import PERCENTILES, Distribution

# From 10 µs to a quarter of an hour: what a network can do.
SAMPLES = st.lists(st.integers(10_000, FINE[-1]) | st.integers(10_000, 10_000_000), min_size=1, max_size=300)


def _slots(samples: list[int]) -> list[int]:
    slots = [0] * Histogram.size(FINE)
    histogram = Histogram(FINE, slots)
    for sample in samples:
        histogram.observe(sample)
    return slots


def _exact(samples: list[int], percent: float) -> int:
    """Return the nearest rank: the least sample that so many per cent do not exceed."""
    return sorted(samples)[math.ceil(percent / 100 * len(samples)) - 1]


def test_bounds() -> None:
    """Each bound is 1 % above the one before, or one nanosecond's rounding beside it."""
    assert all(high - low * 1.01 <= 1 for low, high in pairwise(FINE))


@given(samples=SAMPLES)
def test_percentiles_are_exact_to_one_per_cent(samples: list[int]) -> None:
    """Every percentile is that of the raw samples, to 1 %; the mean and the longest are exact."""
    found = Distribution.of(_slots(samples), max(samples))
    for percent in (*PERCENTILES, 1.0, 25.0, 100.0):
        assert math.isclose(found.percentile(percent) * 1e9, _exact(samples, percent), rel_tol=0.01)
    assert found.count == len(samples)
    assert math.isclose(found.mean * 1e9, sum(samples) / len(samples))
    assert found.most == max(samples) / 1e9
    assert sum(count for _, count in found.steps()) == len(samples)


@given(samples=SAMPLES, other=SAMPLES)
def test_merged_equals_the_whole(samples: list[int], other: list[int]) -> None:
    """Histograms of two workers, added slot by slot, are the histogram of all samples."""
    merged = [one + two for one, two in zip(_slots(samples), _slots(other), strict=True)]
    assert merged == _slots(samples + other)


def test_nothing() -> None:
    """Of nothing there is no percentile, and no mean."""
    found = Distribution.of(_slots([]))
    assert math.isnan(found.percentile(50))
    assert math.isnan(found.mean)
    assert math.isnan(found.most)
    assert found.steps() == []


def test_beyond_the_last_bound() -> None:
    """What is longer than any bound is at least beyond it, and the longest stays exact where it was kept."""
    slots = _slots([5 * FINE[-1]])
    assert Distribution.of(slots).percentile(50) * 1e9 > FINE[-1]
    assert Distribution.of(slots, 5 * FINE[-1]).most * 1e9 == 5 * FINE[-1]
