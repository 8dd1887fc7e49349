"""Ratios, medians and spread."""

from dataclasses import replace

from bench.measurement import Run
from bench.ratio import Spread, ratio, spread
from unit.bench.sample import run

RUNS = [
    *(run("cell", "one", rate, round_) for round_, rate in enumerate((10, 40, 90), 1)),
    *(run("cell", "other", rate, round_) for round_, rate in enumerate((10, 20, 30), 1)),
]


def test_spread() -> None:
    """The median lies between the least and the most; nothing has none."""
    assert Spread.of([3, 1, 2, 10]) == Spread(2.5, 1, 10)
    assert Spread.of([]) is None
    assert spread(RUNS, "cell", "one", lambda one: one.rate) == Spread(40, 10, 90)


def test_ratios_are_of_the_same_round() -> None:
    """The median of the ratios is not the ratio of the medians, which would be 40 / 20 by chance."""
    assert ratio(RUNS, ("cell", "one"), ("cell", "other")) == Spread(2, 1, 3)
    assert ratio([*RUNS[:2], *RUNS[4:]], ("cell", "one"), ("cell", "other")) == Spread(2, 2, 2)


def test_failed_runs_do_not_count() -> None:
    """Neither above nor below the line."""
    failed = [replace(RUNS[0], failure="gone"), *RUNS[1:5], replace(RUNS[5], failure="gone")]
    assert ratio(failed, ("cell", "one"), ("cell", "other")) == Spread(2, 2, 2)


def test_what_was_not_measured_has_no_ratio() -> None:
    """Nor has what came to nothing."""
    assert ratio(RUNS, ("cell", "one"), ("cell", "nobody")) is None
    assert ratio([RUNS[0], Run("cell", "other", 1)], ("cell", "one"), ("cell", "other")) is None


def test_text() -> None:
    """The range stands beside the median where there is one."""
    assert str(Spread(1, 0.9, 1.234)) == "1.00 (0.90–1.23)"
    assert str(Spread(1, 1, 1.001)) == "1.00"
