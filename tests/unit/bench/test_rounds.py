"""Rounds."""

from pathlib import Path
from typing import cast

from bench.contender import Contender, stentor
from bench.measurement import Group, Laboratory, Run
from bench.rounds import Series, all_series, main_series, progress
from bench.workload import MAIN, WORKERS, Cell, Timing

ONE, TWO, THREE = (Contender(name, ("true",)) for name in ("one", "two", "three"))
CELLS = Cell("a", "a"), Cell("b", "b")


class Lab:
    """Measures nothing."""

    def run(self, cell: Cell, contender: Contender, _: Timing, round_: int) -> Run:
        return Run(cell.name, contender.name, round_)

    def compare(self, group: Group, timing: Timing, round_: int) -> list[Run]:
        assert timing.slices
        return [Run(cell.name, contender.name, round_) for cell, contender in group]


def _order(series: Series) -> list[tuple[int, str, str]]:
    said: list[str] = []
    runs = series.measure(cast("Laboratory", Lab()), said.append)
    assert len(said) == len(runs) + 1
    return [(run.round, run.cell, run.contender) for run in runs]


def test_order() -> None:
    """In each round everyone is measured in a cell before the next cell, and another one begins."""
    assert _order(main_series([ONE, TWO, THREE], CELLS, Timing(rounds=2, seconds=1))) == [
        *((1, cell, name) for cell in "ab" for name in ("one", "two", "three")),
        *((2, cell, name) for cell in "ab" for name in ("two", "three", "one")),
    ]


def test_comparison() -> None:
    """What is compared slice by slice is compared at once; who begins changes from round to round."""
    group = tuple((CELLS[0], one) for one in (ONE, TWO))
    series = Series("compared", (group,), Timing(rounds=2, seconds=1, slices=3))
    assert [(round_, name) for round_, _, name in _order(series)] == [(1, "one"), (1, "two"), (2, "two"), (2, "one")]


def test_everything_is_measured(tmp_path: Path) -> None:
    """The full run has all cells, and all comparisons of Stentor with itself."""
    series = all_series([stentor(), Contender("epoll", ("true",)), ONE], tmp_path)
    runs = {(cell.name, contender.name) for one in series for group in one.groups for cell, contender in group}
    assert {(cell.name, name) for cell in MAIN for name in ("stentor", "epoll", "one")} <= runs
    assert {(cell.name, "stentor") for cell in WORKERS} <= runs
    assert {("observed", name) for name in ("stentor", "stentor-quiet", "stentor-silent")} <= runs
    assert {("scraped", name) for name in ("stentor", "stentor-watched")} <= runs
    assert ("size-64", "epoll") in runs
    assert ("size-64", "one") not in runs


def test_progress() -> None:
    """A run that failed says why."""
    assert "failed: gone" in progress(Run("a", "one", 1, failure="gone"), 5)
    assert "500.0/s" in progress(Run("a", "one", 1, exchanges=1000, seconds=2), 5)
