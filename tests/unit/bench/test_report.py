"""Tables of the results."""

from dataclasses import replace

from bench import report
from bench.result import Result
from bench.workload import MAIN
from unit.bench.sample import run


def test_main_table(result: Result) -> None:
    """A row for each workload, with target, Stentor and its mark, and the peers that were measured."""
    lines = report.main_table(result.runs).splitlines()
    assert lines[0] == "| workload | target | Stentor |  | Go | Node | uvloop, protocol |"
    assert lines[2] == "| 64 B, 50 connections | ≥ 0.90 | **0.90**  | ✓ | 0.80 | 0.50 | 0.60 |"
    assert lines[4] == "| 64 KiB, 10 connections | ≥ 1.00 | **0.90**  | ✗ | 0.80 | 0.50 | 0.60 |"
    assert lines[-1] == "| 15,000 open, 1 % active, against 50 | ≥ 0.80 | **1.00**  | ✓ | 1.00 | 1.00 | 1.00 |"
    assert len(lines) == 2 + len(MAIN)


def test_main_table_of_a_part() -> None:
    """What was not measured is not shown, and what failed is a dash."""
    runs = [run("64B", "epoll", 10), replace(run("64B", "stentor", 10), failure="gone"), run("64B", "go", 5)]
    assert report.main_table(runs) == (
        "| workload | target | Stentor |  | Go |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| 64 B, 50 connections | ≥ 0.90 | – |  | 0.50 |\n"
    )
    assert report.main_table([runs[0], runs[2]]).splitlines()[2] == "| 64 B, 50 connections | ≥ 0.90 | 0.50 |"
    assert report.failures(runs) == "64B, stentor, round 1: gone\n"


def test_marks_go_by_what_is_printed() -> None:
    """0.896 is printed as 0.90, and passes."""
    assert [report.mark(value, 0.9) for value in (0.896, 0.894, 1)] == ["✓", "✗", "✓"]


def test_ratios_of_processor_time_and_latency(result: Result) -> None:
    """The reference is what the others are compared with, and has no column."""
    assert report.processor_table(result.runs).splitlines()[2].endswith("| 1.11 | 1.25 | 2.00 | 1.67 |")
    assert report.latency_table(result.runs).splitlines()[2].endswith("| 1.00 | 1.00 | 1.00 | 1.00 |")
    assert "C, epoll" not in report.latency_table(result.runs)


def test_utilisation(result: Result) -> None:
    """It is in percent, of everyone."""
    runs = [replace(one, server_utilisation=0.987) for one in result.runs]
    assert report.utilisation_table(runs).splitlines()[2].count("99%") == 5


def test_disturbance() -> None:
    """A reader sees whether the reference had its core for itself."""
    runs = [replace(run("64B", "epoll", 10, round_), server_waiting=round_ / 100) for round_ in (1, 2, 9)]
    assert report.disturbance(runs).endswith("2.0% of the time, 9.0% at the worst")


def test_targets(result: Result) -> None:
    """Each has its mark."""
    lines = report.target_table(result).splitlines()
    assert "| memory per idle connection | ≤ 2.5 KiB | 1.95 KiB | ✓ |" in lines


def test_memory(result: Result) -> None:
    """Who does not hold the connections is told as well."""
    assert report.memory_table(result).splitlines()[2:] == ["| Stentor | 1.95 KiB |", "| Go | does not hold 15,000 |"]


def test_machine(result: Result) -> None:
    """Who was skipped stands with the tools."""
    assert report.machine_table(result).splitlines()[2:] == [
        "| processor | a <fine> one |",
        "| cores | 2 |",
        "| python | 3.11.0 |",
        "| skipped: C, io_uring | no liburing |",
        "| disturbance | C, epoll waited for its core 0.0% of the time, 0.0% at the worst |",
    ]
