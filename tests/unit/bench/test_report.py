"""Tables, charts and documents of the results."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from bench import document, report
from bench.charts import SHORT_TITLES, charts
from bench.document import between, documents
from bench.memory import Memory
from bench.result import Result
from bench.rounds import OTHER, WATCHED
from bench.target import client_targets, targets
from bench.workload import MAIN, SIZES
from unit.bench.sample import run


def test_main_table(result: Result) -> None:
    """A row for each workload, with target, Stentor and its mark, and the measured peers."""
    lines = report.main_table(result.runs).splitlines()
    assert lines[0] == "| workload | target | Stentor |  | Go | Node | uvloop, protocol |"
    assert lines[2] == "| 64 B, 50 connections | ≥ 0.90 | **0.90**  | ✓ | 0.80 | 0.50 | 0.60 |"
    assert lines[4] == "| 64 KiB, 10 connections | ≥ 1.00 | **0.90**  | ✗ | 0.80 | 0.50 | 0.60 |"
    assert lines[-1] == "| 15,000 open, 1 % active, against 50 | ≥ 0.80 | **1.00**  | ✓ | 1.00 | 1.00 | 1.00 |"
    assert len(lines) == 2 + len(MAIN)


def test_a_run_that_failed() -> None:
    """It is a dash in the table, and a line with the reason."""
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


def test_a_pair() -> None:
    """Throughput and processor time are compared within each round."""
    rates = (("stentor", 20, 1), (OTHER, 10, 1), ("stentor", 30, 2), (OTHER, 10, 2))
    assert report.pair_table([run("64B", *one) for one in rates]).splitlines()[2] == (
        "| 64 B, 50 connections | **2.50** (2.00–3.00) | **0.42** (0.33–0.50) |"
    )


def test_targets(result: Result) -> None:
    """The sample meets all; what was not measured is neither met nor missed, unlike connections that were not held."""
    assert [target.met for target in targets(result)] == [True] * 10
    assert [target.met for target in client_targets(result.runs)] == [True] * 3
    empty = replace(result, runs=[], memory=[], many=Memory("stentor-many", 1, failure="gone"))
    assert [target.met for target in targets(empty)] == [None] * 3 + [False] + [None] * 6
    assert [target.met for target in client_targets([])] == [None] * 3


def test_targets_that_are_missed(result: Result) -> None:
    """The workloads in which a rival is not slower are named; scrapes may raise p99 by 5 %."""
    slow = [replace(one, exchanges=901) if (one.cell, one.contender) == ("1KiB", "go") else one for one in result.runs]
    assert targets(replace(result, runs=slow))[0].measured == "not faster at 1 KiB, 50 connections: 1.00"
    for p99, met in ((104.9, True), (106, False)):
        runs = [replace(one, p99_us=p99) if one.contender == WATCHED else one for one in result.runs]
        assert targets(replace(result, runs=runs))[-1].met is met


def test_charts(result: Result) -> None:
    """They show the figures as text, and a gap for a cell that failed."""
    runs = [replace(one, failure="gone") if one.cell == SIZES[0].name else one for one in result.runs]
    drawn = charts(runs)
    texts = {name: "".join(ET.fromstring(chart).itertext()) for name, chart in drawn.items()}
    assert [*texts] == ["workloads.svg", "size.svg", "connections.svg", "workers.svg"]
    assert all(text in texts["workloads.svg"] for text in ("0.90", "uvloop, protocol", *SHORT_TITLES))
    assert "256 KiB" in texts["size.svg"]
    assert charts(runs) == drawn


def test_documents_show_the_saved_results() -> None:
    """Tables and charts are those of bench/results/full.json; `python -m bench report` writes them."""
    stale = [path for path, text in documents(Result.load()).items() if (document.ROOT / path).read_text() != text]
    assert stale == []


def test_writing(tmp_path: Path, result: Result) -> None:
    """Only the text between the markers is replaced, and a document without them is refused."""
    assert (
        between("a\n<!-- x -->\nold\n<!-- end: x -->\nb\n", "x", "new\n") == "a\n<!-- x -->\nnew\n<!-- end: x -->\nb\n"
    )
    with pytest.raises(ValueError, match="no lines"):
        between("<!-- end: x -->\n<!-- x -->\n", "x", "new\n")
    (tmp_path / "docs").mkdir()
    for path in (document.README, document.PAGE):
        (tmp_path / path).write_text((document.ROOT / path).read_text())
    document.write(result, tmp_path)
    assert "**0.90**" in (tmp_path / document.README).read_text()
    assert len(list((tmp_path / document.CHARTS).glob("*.svg"))) == 4


def test_what_is_saved_is_loaded(tmp_path: Path, result: Result) -> None:
    """Nothing is lost, and new runs replace those of their cells, unless all of these failed."""
    result.save(tmp_path / "full.json")
    assert Result.load(tmp_path / "full.json") == result
    again, failed = replace(result.runs[0], exchanges=1), replace(result.runs[0], failure="gone")
    others = [one for one in result.runs if one.cell != again.cell]
    assert result.renewed([again, failed]) == replace(result, runs=[*others, again, failed])
    assert result.renewed([failed]) == result
