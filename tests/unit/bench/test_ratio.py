"""Ratios, medians and spread."""

from dataclasses import replace

from bench.measurement import Run
from bench.ratio import Spread, ratio, spread, spread_of
from unit.bench.sample import run

ONE, OTHER = ("cell", "one"), ("cell", "other")
RUNS = [
    *(run(*ONE, rate, round_) for round_, rate in enumerate((10, 40, 90), 1)),
    *(run(*OTHER, rate, round_) for round_, rate in enumerate((10, 20, 30), 1)),
]


def test_spread() -> None:
    """It is the median with the lowest and the highest value, which are left out of the text if they look alike."""
    assert spread_of([3, 1, 2, 10]) == Spread(2.5, 1, 10)
    assert spread(RUNS, *ONE, lambda one: one.rate) == Spread(40, 10, 90)
    assert Spread(1, 0.9, 1.234).text() == "1.00 (0.90–1.23)"
    assert Spread(1, 1, 1.001).text() == "1.00"


def test_ratios_are_of_the_same_round() -> None:
    """A round in which one of the two failed, or was not measured, has none."""
    assert ratio(RUNS, ONE, OTHER) == Spread(2, 1, 3)
    assert ratio([*RUNS[:2], *RUNS[4:]], ONE, OTHER) == Spread(2, 2, 2)
    failed = [replace(RUNS[0], failure="gone"), *RUNS[1:5], replace(RUNS[5], failure="gone")]
    assert ratio(failed, ONE, OTHER) == Spread(2, 2, 2)
    assert ratio(RUNS, ONE, ("cell", "nobody")) is None
    assert ratio([RUNS[0], Run(*OTHER, 1)], ONE, OTHER) is None
