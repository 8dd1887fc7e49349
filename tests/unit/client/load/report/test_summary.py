"""What a load measured."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stentor_client.load.report.summary import Summary
from stentor_client.verify.outcomes import Outcome, Phase, Shortage
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    OPTIONS,
    RAMP,
    Making,
    all_failed,
    counted,
    judged,
    nothing_at_all,
    ramp_with_knee,
    slices,
    spread,
    steady,
    summed_up,
)

PAGE = Path(__file__).parents[5] / "docs" / "load.md"


def test_totals() -> None:
    """Counts and rates are of the measured exchanges and the measured time."""
    summary = summed_up(counted([1.0] * 30, {Outcome.EOF: 10}), measured_seconds=5.0)
    assert (summary.exchanges, summary.good, summary.due) == (40, 30, 40)
    assert summary.outcomes == {Outcome.OK: 30, Outcome.EOF: 10}
    assert (summary.error_rate, summary.throughput, summary.bytes_per_second) == (0.25, 6.0, 6 * 64)
    assert (summary.opened, summary.lost) == (2, {})
    assert set(summary.phases) == {Phase.RESOLVE, Phase.CONNECT, Phase.FIRST_BYTE}


BUSY = counted([1.0], processor_seconds=9.5)
FEW = counted([1.0], open_seconds=14.9)


@pytest.mark.parametrize(
    ("summary", "warning"),
    [
        (nothing_at_all(), "It was stopped before the warm-up was over: nothing was measured."),
        (summed_up(measured_seconds=9.9999), None),
        (summed_up(measured_seconds=2.5), "It was stopped after 2.5 s of 10 s."),
        (summed_up(counted([1.0] * 1999, late=[2.0, 2.0])), None),  # one in a thousand
        (
            summed_up(counted([1.0] * 1996, late=[2.0, 7.4, 2.0])),
            "it began 0.15 % of the sends over 1 ms late, the worst 7",
        ),
        (summed_up(counted([1.0] * 1996, late=[2.0, 7.4, 2.0]), options=CLOSED), None),
        (summed_up(BUSY, options=CLOSED), "used 95 % of a processor"),
        (summed_up(counted([1.0], processor_seconds=8.9)), None),
        (summed_up(FEW), "Only 1.49 of the 2 connections were open on average: 2 were made, and 0 lost."),
        (summed_up(FEW, options=replace(OPTIONS, fresh=True)), None),
        (summed_up(counted([1.0], open_seconds=19.9)), None),
        (
            summed_up(counted([1.0], shortage=Shortage.LOCAL_PORTS)),
            "1 connection could not be made, and not by the target's fault: this machine ran out of local ports; ",
        ),
        (spread((1, 0, 5, 0), (1, 0, 5, 0)), None),
        (spread((2, 0, 10, 0), (0, 0, 0, 0)), "There was no connection to 10.0.0.2:8080."),
        (spread((1, 3, 5, 0), (1, 0, 5, 0)), "3 attempts to connect to 10.0.0.1:8080 failed: "),
    ],
)
def test_warnings(summary: Summary, warning: str | None) -> None:
    """A load that was interrupted, limited by its generator or short of connections says so, and no other does."""
    assert [warning in each for each in summary.warnings if warning] == ([True] if warning else [])
    assert len(summary.warnings) == (warning is not None)


def test_knee() -> None:
    """The knee is the last slice that followed, before all that did not."""
    knee = ramp_with_knee().knee
    assert knee is not None
    assert knee.due_rate == 400.0


@pytest.mark.parametrize(
    "summary",
    [
        summed_up(pieces=slices(*[(100.0 * n, 100.0 * n) for n in range(1, 11)]), options=RAMP),
        summed_up(pieces=slices((100, 100), (200, 200), (300, 100)), options=RAMP),
        summed_up(pieces=slices((100, 100), (200, 50), (300, 300), (400, 100), (500, 500)), options=RAMP),
        summed_up(pieces=slices((100, 10), (200, 10), (300, 10)), options=RAMP),
        replace(ramp_with_knee(), options=OPTIONS),
        replace(ramp_with_knee(), options=CLOSED),
        nothing_at_all(RAMP),
    ],
    ids=["follows", "one-slice", "comes-back", "never-followed", "no-ramp", "closed", "nothing"],
)
def test_no_knee(summary: Summary) -> None:
    """There is none if throughput followed to the end, recovered or never followed, or if no rate grew."""
    assert summary.knee is None


@pytest.mark.parametrize("making", EXTREMES)
def test_json(making: Making) -> None:
    """The object of any load is strict JSON, without NaN, and agrees with itself."""
    summary = making(RAMP)
    made = summary.as_json(judged(summary, max_p99=1.0, max_error_rate=0.1))
    assert made == json.loads(json.dumps(made, allow_nan=False))
    assert made["exchanges"] == sum(made["outcomes"].values())
    assert made["throughput_per_second"] * made["measured_seconds"] == made["outcomes"].get("ok", 0)
    assert made["response_time_seconds"]["count"] == made["service_time_seconds"]["count"] == summary.good
    assert (made["response_time_seconds"]["p99"] is None) == (summary.good == 0)


def test_every_field_is_documented() -> None:
    """The page documents every field of the object, however deep, and no other."""
    made = [each.as_json(judged(each, max_p99=1.0)) for each in (ramp_with_knee(), all_failed(), steady())]
    page = PAGE.read_text(encoding="utf-8").partition("## The JSON file")[2]
    tables = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([^`]+)`", "\n".join(line.split("|")[1] for line in tables.splitlines())))
    fields = {name for each in made for name in _fields(each)}
    assert {name for name in fields if f"`{name}`" not in tables} == set()
    assert named - fields == set()
    assert f"`{made[0]['schema']}`" in tables


def _fields(value: object) -> Iterator[str]:
    """Yield the names of all fields, except outcomes and phases."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in {*Outcome, *Phase}:
                yield name
            yield from _fields(each)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each)
