"""Ratios, tables and documents of the results."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench import document, report
from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER
from bench.contender import STENTOR
from bench.measurement import Run
from bench.memory import Memory
from bench.ratio import Spread, ratio, spread_of
from bench.result import Result
from bench.rounds import OTHER, QUIET, SILENT, WATCHED
from bench.target import client_targets, targets
from bench.workload import FLOOD, MAIN, OBSERVED, SCRAPED, WORKERS

MAIN_RATES = {STENTOR: 900, "epoll": 1000, "go": 800, "node": 500, "uvloop_protocol": 600}
RATES = [
    *((MAIN, name, rate) for name, rate in MAIN_RATES.items()),
    *((OBSERVED, name, rate) for name, rate in ((STENTOR, 98), (QUIET, 99), (SILENT, 100))),
    *(((*FLOOD, SCRAPED, *WORKERS), name, 100) for name in (STENTOR, "epoll", WATCHED)),
    *((CLOSED, name, 100) for name in (CLIENT, IN_C)),
    *(((HALF,), name, 1000) for name in (CLIENT, PACER)),
]


def run(cell: str, contender: str, rate: int, round_: int = 1) -> Run:
    """Return a run of one second with half a second of processor time and one late send."""
    return Run(cell, contender, round_, rate, 1.0, 10, 100, 100, 0.5, server_utilisation=0.987, late=1)


@pytest.fixture
def result() -> Result:
    """A complete result, of one round."""
    runs = [run(cell.name, name, rate) for cells, name, rate in RATES for cell in cells]
    memory = [Memory(STENTOR, 1, 1000, 10_000_000, 12_000_000), Memory("go", 1, failure="gone")]
    many = Memory("stentor-many", 1, 100_002, 60_000_000, 300_000_000)
    return Result({"processor": "a <fine> one"}, {"python": "3.11.0"}, {"io_uring": "no liburing"}, runs, memory, many)


def test_ratios_are_of_the_same_round() -> None:
    """A round in which one of the two failed, or was not measured, has none."""
    one, other = ("cell", "one"), ("cell", "other")
    runs = [
        run(*which, rate, round_)
        for which, rates in ((one, (10, 40, 90)), (other, (10, 20, 30)))
        for round_, rate in enumerate(rates)
    ]
    assert ratio(runs, one, other) == Spread(2, 1, 3)
    assert ratio([*runs[:2], *runs[4:]], one, other) == Spread(2, 2, 2)
    failed = [replace(runs[0], failure="gone"), *runs[1:5], replace(runs[5], failure="gone")]
    assert ratio(failed, one, other) == Spread(2, 2, 2)
    assert ratio(runs, one, ("cell", "nobody")) is ratio([runs[0], Run(*other, 0)], one, other) is None
    assert spread_of([3, 1, 2, 10]) == Spread(2.5, 1, 10)
    assert [Spread(1, 0.9, 1.234).text(), Spread(1, 1, 1.001).text()] == ["1.00 (0.90–1.23)", "1.00"]


def test_main_table(result: Result) -> None:
    """A row for each workload, with target, Stentor and its mark, and the measured peers; a dash for a failure."""
    lines = report.main_table(result.runs).splitlines()
    assert lines[0] == "| workload | target | Stentor |  | Go | Node | uvloop, protocol |"
    assert lines[2] == "| 64 B, 50 connections | ≥ 0.90 | **0.90**  | ✓ | 0.80 | 0.50 | 0.60 |"
    assert lines[4] == "| 64 KiB, 10 connections | ≥ 1.00 | **0.90**  | ✗ | 0.80 | 0.50 | 0.60 |"
    assert lines[-1] == "| 15,000 open, 1 % active, against 50 | ≥ 0.80 | **1.00**  | ✓ | 1.00 | 1.00 | 1.00 |"
    assert len(lines) == 2 + len(MAIN)
    runs = [run("64B", "epoll", 10), replace(run("64B", "stentor", 10), failure="gone"), run("64B", "go", 5)]
    assert report.main_table(runs).splitlines()[2] == "| 64 B, 50 connections | ≥ 0.90 | – |  | 0.50 |"
    assert report.main_table([runs[0], runs[2]]).splitlines()[2] == "| 64 B, 50 connections | ≥ 0.90 | 0.50 |"
    assert report.failures(runs) == "64B, stentor, round 1: gone\n"


def test_the_other_tables(result: Result) -> None:
    """Each shows its figures."""
    runs = result.runs
    assert report.ratio_table(runs, lambda run: run.cpu_us).splitlines()[2].endswith("| 1.11 | 1.25 | 2.00 | 1.67 |")
    assert report.utilisation_table(runs).splitlines()[2].count("99%") == 5
    assert report.memory_table(result).splitlines()[2:] == ["| Stentor | 1.95 KiB |", "| Go | does not hold 15,000 |"]
    assert "| skipped: C, io_uring | no liburing |" in report.machine_table(result)
    waiting = [replace(run("64B", "epoll", 10, round_), server_waiting=round_ / 100) for round_ in (1, 2, 9)]
    assert report.disturbance(waiting).endswith("2.0% of the time, at worst 9.0%")
    pair = [run("64B", *one) for one in (("stentor", 20, 1), (OTHER, 10, 1), ("stentor", 30, 2), (OTHER, 10, 2))]
    assert report.pair_table(pair).splitlines()[2].endswith("| **2.50** (2.00–3.00) | **0.42** (0.33–0.50) |")


def test_targets(result: Result) -> None:
    """The sample meets all; what was not measured is neither met nor missed, unlike connections that were not held."""
    assert [target.met for target in targets(result) + client_targets(result.runs)] == [True] * 13
    empty = replace(result, runs=[], memory=[], many=Memory("stentor-many", 1, failure="gone"))
    assert [target.met for target in targets(empty) + client_targets([])] == [None] * 3 + [False] + [None] * 9
    slow = [replace(one, exchanges=901) if (one.cell, one.contender) == ("1KiB", "go") else one for one in result.runs]
    assert targets(replace(result, runs=slow))[0].measured == "not faster at 1 KiB, 50 connections: 1.00"
    for p99, met in ((104.9, True), (106, False)):
        runs = [replace(one, p99_us=p99) if one.contender == WATCHED else one for one in result.runs]
        assert targets(replace(result, runs=runs))[-1].met is met


def test_documents_show_the_saved_results(tmp_path: Path) -> None:
    """Tables and charts are those of bench/results/full.json; `python -m bench report` writes them."""
    (tmp_path / "docs").mkdir()
    for path in (document.README, document.PAGE):
        (tmp_path / path).write_text((document.ROOT / path).read_text())
    document.write(Result.load(), tmp_path)
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")]
    assert len(written) == 2 + 4
    assert [path for path in written if (document.ROOT / path).read_text() != (tmp_path / path).read_text()] == []


def test_results_are_saved_and_loaded(tmp_path: Path, result: Result) -> None:
    """Nothing is lost, and new runs replace those of their cells, unless all of these failed."""
    result.save(tmp_path / "full.json")
    assert Result.load(tmp_path / "full.json") == result
    again, failed = replace(result.runs[0], exchanges=1), replace(result.runs[0], failure="gone")
    others = [one for one in result.runs if one.cell != again.cell]
    assert result.renewed([again, failed]) == replace(result, runs=[*others, again, failed])
    assert result.renewed([failed]) == result
