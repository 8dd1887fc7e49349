"""What a load must not exceed."""

import pytest

from stentor_client.load.report.thresholds import ThresholdResult, Thresholds
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import all_failed, counted, nothing_at_all, steady, summed_up


def test_none_given() -> None:
    """What is not asked for is not judged."""
    assert Thresholds().judge(steady()) == []


def test_met_and_not_met() -> None:
    """Each threshold is held against its own figure."""
    judged = Thresholds(max_error_rate=0.25, max_p50=0.050, max_p99=0.110).judge(
        summed_up(counted([1 + number for number in range(100)], {Outcome.EOF: 50}, waited=1.0))
    )
    assert [(each.name, each.limit, each.met) for each in judged] == [
        ("max-error-rate", 0.25, False),
        ("max-p50", 0.050, False),  # the response time, which holds the millisecond of waiting
        ("max-p99", 0.110, True),
    ]
    assert [each.actual for each in judged] == pytest.approx([1 / 3, 0.051, 0.100], rel=0.01)


def test_what_is_exactly_the_limit_is_met() -> None:
    """The limit itself is allowed."""
    assert Thresholds(max_error_rate=0.5).judge(summed_up(counted([1.0], {Outcome.EOF: 1})))[0].met
    assert Thresholds(max_error_rate=0.0).judge(steady())[0].met


@pytest.mark.parametrize("making", [nothing_at_all, all_failed])
def test_nothing_to_measure(making: "type[object]") -> None:
    """Where no exchange was right, no threshold is met."""
    judged = Thresholds(max_error_rate=0.5, max_p50=1.0, max_p99=1.0).judge(making())  # type: ignore[arg-type]
    assert [(each.actual, each.met) for each in judged] == [(1.0, False), (None, False), (None, False)]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (ThresholdResult("max-p99", 0.02, 0.0022854, met=True), "--max-p99 20ms: met, measured 2.285 ms"),
        (ThresholdResult("max-p99", 0.0005, 0.0005004, met=False), "--max-p99 0.5ms: not met, measured 0.500 ms"),
        (ThresholdResult("max-p50", 90.0, None, met=False), "--max-p50 90000ms: not met, measured nothing"),
        (ThresholdResult("max-error-rate", 0.001, 0.0, met=True), "--max-error-rate 0.1%: met, measured 0%"),
        (ThresholdResult("max-error-rate", 0.0, 1e-9, met=False), "--max-error-rate 0%: not met, measured <0.0001%"),
    ],
)
def test_in_words(result: ThresholdResult, text: str) -> None:
    """A judgement reads as the option does that asked for it."""
    assert text == str(result)
