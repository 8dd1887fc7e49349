"""A load's report, as text."""

from dataclasses import replace

import pytest

from stentor_client.load.options import LoadOptions
from stentor_client.load.report.text import lines, show
from stentor_client.load.report.thresholds import Thresholds
from unit.client.loads import (
    EXTREMES,
    HOSTILE,
    OPTIONS,
    RAMP,
    Making,
    all_failed,
    counted,
    ramp_with_knee,
    steady,
    summed_up,
)

NARROW = 80
JUDGED = Thresholds(max_error_rate=0.001, max_p50=60.0, max_p99=0.05)


@pytest.mark.parametrize("making", EXTREMES)
@pytest.mark.parametrize("options", [OPTIONS, RAMP, replace(OPTIONS, rate=None)], ids=["rate", "ramp", "closed"])
def test_fits_a_narrow_terminal(making: Making, options: LoadOptions) -> None:
    """No line is wider than 80 characters, and none ends in blanks."""
    summary = making(options)
    found = [line.plain for line in lines(summary, JUDGED.judge(summary), NARROW)]
    assert [line for line in found if len(line) > NARROW or line != line.rstrip()] == []


def test_what_it_says() -> None:
    """Target, kind, totals, times, in this order."""
    found = [line.plain for line in lines(steady(), [], NARROW)]
    assert found[:7] == [
        "server.example:8080",
        "100/s over 2 connections, 64 B, 10 s",
        "",
        "throughput  100 exchanges/s  6.25 KiB/s each way",
        "exchanges   1,000            every reply was right",
        "late sends  0                begun over 1 ms late by the generator",
        "",
    ]
    assert " ".join(found[8].split()) == "response time 51.0 ms 90.8 ms 100 ms 101 ms - 101 ms 51.5 ms"
    assert len({len(line) for line in found[7:]}) == 1  # columns stand below each other


def test_failures_are_named() -> None:
    """Every outcome that was not right has its line, in red."""
    red = [line for line in lines(all_failed(), [], NARROW) if any("red" in str(span.style) for span in line.spans)]
    assert [line.plain.split() for line in red] == [["1", "timeout"], ["999", "mismatch"]]


def test_warnings_are_broken_between_words() -> None:
    """A warning goes on under its own beginning."""
    late = summed_up(counted([1.0] * 10, late=[5.0] * 10))
    first, second = [line.plain for line in lines(late, [], NARROW) if line.style == "magenta"]
    assert first.startswith("! The generator was the limit: 50.00% of the sends")
    assert second.startswith("  ")


def test_knee_and_thresholds_come_last() -> None:
    """What was asked for stands at the end, where the eye is."""
    summary = ramp_with_knee()
    judged = Thresholds(max_p99=0.0001, max_error_rate=0.1).judge(summary)
    *_, knee, more, met, missed = list(lines(summary, judged, NARROW))
    assert f"{knee.plain} {more.plain}".startswith("The knee: up to 400/s")
    assert (met.style, missed.style) == ("green", "bold red")
    assert missed.plain == "--max-p99 0.1ms: not met, measured 1.000 ms"


def test_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    """Where no terminal is, a sentence is one line, and no colour is written."""
    show(summed_up(counted([1.0] * 10, late=[5.0] * 10)), [])
    written = capfd.readouterr()
    assert next(line for line in written.out.splitlines() if line.startswith("!")).endswith("or a lower --rate.")
    assert "\x1b" not in written.out
    assert not written.err


def test_any_target() -> None:
    """The target cannot command the terminal."""
    assert next(iter(lines(steady(HOSTILE), [], NARROW))).plain == "unix:/$x_{$\\x1b[2J\\udcff\\n<日本>"
