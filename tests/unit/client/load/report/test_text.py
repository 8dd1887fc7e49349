"""A load's report, as text."""

import pytest

from stentor_client.load.options import LoadOptions
from stentor_client.load.report.text import lines, show
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    HOSTILE,
    OPTIONS,
    RAMP,
    Making,
    all_failed,
    counted,
    judged,
    ramp_with_knee,
    spread,
    steady,
    summed_up,
)

NARROW = 80


@pytest.mark.parametrize("making", EXTREMES)
@pytest.mark.parametrize("options", [OPTIONS, RAMP, CLOSED], ids=["rate", "ramp", "closed"])
def test_fits_a_narrow_terminal(making: Making, options: LoadOptions) -> None:
    """No line is wider than 80 characters, and none ends in blanks."""
    summary = making(options)
    results = judged(summary, max_error_rate=0.001, max_p50=60.0, max_p99=0.05)
    found = [line.plain for line in lines(summary, results, NARROW)]
    assert [line for line in found if len(line) > NARROW or line != line.rstrip()] == []


def test_what_it_says() -> None:
    """Target, kind, totals, times, in this order."""
    found = [line.plain for line in lines(steady(), [], NARROW)]
    assert found[:7] == [
        "server.example:8080",
        "100/s over 2 connections, 64 B, 10 s",
        "",
        "throughput   100 exchanges/s  6.25 KiB/s each way",
        "exchanges    1,000            every reply was right",
        "late sends   0                over 1 ms late, by the generator's fault",
        "connections  2 open           on average, 2 at most; 2 made, 0 lost",
    ]
    assert " ".join(found[9].split()) == "response time 51.0 ms 90.8 ms 100 ms 101 ms - 101 ms 51.5 ms"
    assert len({len(line) for line in found[8:]}) == 1  # the columns are aligned


def test_failures_warnings_and_results() -> None:
    """Each outcome that was not right has its line; a warning is indented; the knee and thresholds are last."""
    red = [line.plain.split() for line in lines(all_failed(), [], NARROW) if line.style == "bold red"]
    assert red == [["1", "timeout"], ["999", "mismatch"]]
    late = summed_up(counted([1.0] * 10, late=[5.0] * 10))
    first, second, blank = [line.plain for line in lines(late, [], NARROW)][2:5]
    assert first.startswith("! The generator was the limit: it began 50 % of the sends")
    assert (second[:2], blank) == ("  ", "")
    results = judged(ramp_with_knee(), max_p99=0.0001, max_error_rate=0.1)
    *_, knee, more, met, missed = list(lines(ramp_with_knee(), results, NARROW))
    assert f"{knee.plain} {more.plain}".startswith(
        "The knee: up to 400/s throughput followed the rate (p99 4.00 ms); beyond,"
    )
    assert (met.style, missed.style) == ("green", "bold red")
    assert met.plain == "--max-error-rate 10%: met, measured 0 %"
    assert missed.plain == "--max-p99 0.1ms: not met, measured 1.000 ms"


def test_addresses() -> None:
    """Several addresses have a table."""
    found = [line.plain.split() for line in lines(spread((1, 0, 5, 0), (1, 2, 4, 1)), [], NARROW)][-3:]
    assert found[0] == ["address", "connections", "attempts", "failed", "exchanges", "failed"]
    assert found[1:] == [["10.0.0.1:8080", "1", "0", "5", "0"], ["10.0.0.2:8080", "1", "2", "5", "1"]]


def test_in_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a sentence is one line, and there is no colour."""
    show(summed_up(counted([1.0] * 10, late=[5.0] * 10)), [])
    written = capfd.readouterr()
    assert next(line for line in written.out.splitlines() if line.startswith("!")).endswith("or a lower --rate.")
    assert ("\x1b" in written.out, written.err) == (False, "")


def test_any_target() -> None:
    """The target cannot command the terminal."""
    assert next(iter(lines(steady(HOSTILE), [], NARROW))).plain == "unix:/$x_{$\\x1b[2J\\udcff\\n<日本>"
