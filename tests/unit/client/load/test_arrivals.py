"""When exchanges are due."""

import math
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.load.arrivals import Arrivals, Rate

START = 5_000_000_000
RATES = st.floats(0.5, 100_000)
SECONDS = 10.0


def _moments(arrivals: Arrivals, seconds: float = SECONDS) -> Iterator[int]:
    while arrivals.due < START + seconds * 1e9:
        yield arrivals.due
        arrivals.advance()


def _arrivals(rate: Rate, *, worker: int = 0, workers: int = 1, poisson: bool = False) -> Arrivals:
    return Arrivals(rate, SECONDS, start=START, worker=worker, workers=workers, poisson=poisson)


@given(rate=st.integers(1, 500), workers=st.integers(1, 7))
def test_evenly_spaced(rate: int, workers: int) -> None:
    """The moments are multiples of the interval, to the nanosecond; several workers take turns."""
    moments = sorted(
        moment
        for worker in range(workers)
        for moment in _moments(_arrivals(Rate(rate, rate), worker=worker, workers=workers))
    )
    assert len(moments) == rate * SECONDS
    assert all(abs(moment - START - number * 1e9 / rate) <= 1 for number, moment in enumerate(moments))


@given(first=RATES, last=RATES, seconds=st.floats(0.001, SECONDS))
def test_moment_is_the_inverse(first: float, last: float, seconds: float) -> None:
    """The moment by which some arrivals are due is right for a rate that rises, falls or is constant."""
    arrivals = first * seconds + (last - first) * seconds**2 / (2 * SECONDS)
    assert math.isclose(Rate(first, last).moment(arrivals, SECONDS), seconds, rel_tol=1e-6)


def test_falling_to_nothing() -> None:
    """A falling rate has a last arrival, and none after the end."""
    moments = list(_moments(_arrivals(Rate(100, 0.001))))
    assert abs(len(moments) - 500) <= 1
    assert all(later >= earlier for earlier, later in pairwise(moments))
    assert Rate(100, 0.001).moment(501, SECONDS) == math.inf


@pytest.mark.parametrize("workers", [1, 4])
def test_poisson(workers: int) -> None:
    """At random, counts and gaps are those of a Poisson process, however many workers share it."""
    rate = 2000
    moments = sorted(
        moment
        for worker in range(workers)
        for moment in _moments(_arrivals(Rate(rate, rate), worker=worker, workers=workers, poisson=True))
    )
    expected = rate * SECONDS
    assert abs(len(moments) - expected) < 6 * math.sqrt(expected)
    gaps = [(later - earlier) / 1e9 for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert math.isclose(deviation, mean, rel_tol=0.08)  # of an even schedule it would be 0
    longer = sum(gap > mean for gap in gaps) / len(gaps)
    assert math.isclose(longer, math.exp(-1), abs_tol=0.03)
