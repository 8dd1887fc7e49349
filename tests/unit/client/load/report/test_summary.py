"""What came of a load."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stentor_client.load.report.summary import Summary
from stentor_client.load.report.thresholds import Thresholds
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    OPTIONS,
    RAMP,
    Making,
    all_failed,
    counted,
    nothing_at_all,
    ramp_with_knee,
    slices,
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


def test_nothing() -> None:
    """Where nothing was measured nothing is claimed, and nothing divides by zero."""
    summary = nothing_at_all()
    assert (summary.exchanges, summary.throughput, summary.bytes_per_second, summary.error_rate) == (0, 0.0, 0.0, 1.0)
    assert summary.phases == {}
    assert summary.warnings == ["It was stopped before the warm-up was over: nothing was measured."]


def test_warning_of_an_early_end() -> None:
    """A load that was interrupted says after how long; one that was not says nothing."""
    assert summed_up(measured_seconds=9.9999).warnings == []
    assert summed_up(measured_seconds=2.5).warnings == [
        "It was stopped after 2.5 s of the 10 s that were to be measured."
    ]


def test_warning_of_late_sends() -> None:
    """One in a thousand is borne; more is the generator's fault, and said with the worst."""
    fair = counted([1.0] * 1999, late=[2.0, 2.0])
    late = counted([1.0] * 1996, late=[2.0, 7.4, 2.0])
    assert summed_up(fair).warnings == []
    (warning,) = summed_up(late).warnings
    assert "0.15% of the sends began over 1 ms late, the worst 7 ms" in warning


def test_warning_of_a_busy_generator() -> None:
    """A generator that has no processor left may be the limit, whatever the loop."""
    busy = counted([1.0], processor_seconds=9.5)
    for options in (CLOSED, OPTIONS):
        (warning,) = summed_up(busy, options=options).warnings
        assert "used 95% of a processor" in warning
    assert summed_up(counted([1.0], processor_seconds=8.9), options=CLOSED).warnings == []


def test_warning_of_connections_that_are_missing() -> None:
    """Fewer connections than were asked for are another load, where each exchange does not have one of its own."""
    asked = replace(OPTIONS, connections=3)
    (warning,) = summed_up(counted([1.0]), options=asked).warnings
    assert warning == "Only 2 of the 3 connections could be made."
    assert summed_up(counted([1.0]), options=replace(asked, fresh=True)).warnings == []


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
    """There is none where throughput followed to the end, came back or never followed, or no rate grew."""
    assert summary.knee is None


@pytest.mark.parametrize("making", EXTREMES)
def test_json_is_json(making: Making) -> None:
    """Whatever the load, the object is strict JSON, without NaN, and comes back as it was."""
    summary = making(RAMP)
    made = summary.as_json(Thresholds(max_p99=1.0, max_error_rate=0.1).judge(summary))
    assert made == json.loads(json.dumps(made, allow_nan=False))


def test_json_agrees_with_itself() -> None:
    """What can be computed from the object's own fields is what the object says."""
    made = summed_up(counted([1.0] * 30, {Outcome.EOF: 10}), measured_seconds=5.0).as_json([])
    assert made["exchanges"] == sum(made["outcomes"].values()) == 40
    assert made["throughput_per_second"] * made["measured_seconds"] == made["outcomes"]["ok"]
    assert made["response_time_seconds"]["count"] == made["service_time_seconds"]["count"] == 30
    assert all_failed().as_json([])["response_time_seconds"]["p99"] is None


def test_every_field_is_documented() -> None:
    """Every field of the object, however deep, is in the page, and the page names no field that is not there."""
    made = [
        summary.as_json(Thresholds(max_p99=1.0).judge(summary))
        for summary in (ramp_with_knee(), all_failed(), steady())
    ]
    page = PAGE.read_text(encoding="utf-8").partition("## The JSON file")[2]
    tables = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([^`]+)`", "\n".join(line.split("|")[1] for line in tables.splitlines())))
    fields = {name for each in made for name in _fields(each)}
    assert {name for name in fields if f"`{name}`" not in tables} == set()
    assert named - fields == set()
    assert f"`{made[0]['schema']}`" in tables


def _fields(value: object) -> Iterator[str]:
    """Yield the names of all fields, but for those that are outcomes or phases."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in {*Outcome, *Phase}:
                yield name
            yield from _fields(each)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each)
