"""The targets beside those of the main table."""

from dataclasses import replace

import pytest

from bench.memory import Memory
from bench.result import Result
from bench.rounds import WATCHED
from bench.target import Target, targets


def _met(result: Result) -> list[bool | None]:
    return [target.met for target in targets(result)]


def test_all_are_met(result: Result) -> None:
    """The sample meets them all."""
    assert _met(result) == [True] * 10
    assert targets(result)[3] == Target(
        "connections over 6 workers", "≥ 100,000", "100,002 held, 48 MiB a worker", met=True
    )


def test_not_measured(result: Result) -> None:
    """What was not measured is neither met nor missed; connections that were not held are missed."""
    empty = replace(result, runs=[], memory=[], many=Memory("stentor-many", 1, failure="gone"))
    assert _met(empty) == [None, None, None, False, None, None, None, None, None, None]
    assert targets(empty)[3].measured == "failed: gone"


def test_behind_a_rival(result: Result) -> None:
    """Every workload in which a rival is not slower is named."""
    runs = [replace(run, exchanges=901) if (run.cell, run.contender) == ("1KiB", "go") else run for run in result.runs]
    assert targets(replace(result, runs=runs))[0].measured == "behind in 1 KiB, 50 connections: 1.00"


@pytest.mark.parametrize(("p99", "met"), [(104.9, True), (106, False)])
def test_scrapes(result: Result, p99: float, met: bool) -> None:  # noqa: FBT001
    """They may move p99 by 5 %."""
    runs = [replace(run, p99_us=p99) if run.contender == WATCHED else run for run in result.runs]
    assert _met(replace(result, runs=runs))[-1] is met
