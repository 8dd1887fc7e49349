"""A load over time."""

import pytest

from stentor_client.load.metrics import SCHEMA
from stentor_client.load.report.series import SHORTEST_NANOSECONDS, Series, failures
from stentor_client.load.tally import Tally
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import MILLISECOND, counted

SECOND = 1000 * MILLISECOND
NOTHING = [0] * SCHEMA.row_slots


def test_slices_are_what_is_new() -> None:
    """A slice holds what came since the last look, as rates of its own time."""
    series = Series()
    first = counted([1.0] * 100, {Outcome.EOF: 3})
    second = [new + old for new, old in zip(counted([50.0] * 40), first, strict=True)]
    one = series.look(SECOND, first)
    two = series.look(3 * SECOND, second)
    assert one is not None
    assert two is not None
    assert [one, two] == series.slices
    assert (one.begin_seconds, one.end_seconds, one.due_rate, one.throughput, one.failures) == (0, 1, 103, 100, 3)
    assert (two.begin_seconds, two.end_seconds, two.due_rate, two.throughput, two.failures) == (1, 3, 20, 20, 0)
    assert [one.p50_seconds, one.p99_seconds, one.max_seconds] == pytest.approx([0.001] * 3, rel=0.01)
    assert [two.p50_seconds, two.p99_seconds, two.max_seconds] == pytest.approx([0.050] * 3, rel=0.01)


def test_warm_up_has_no_slice() -> None:
    """Looks before the measured time make no slice, and what they saw is in none."""
    series = Series()
    assert series.look(-SECOND, NOTHING) is None
    assert series.look(0, NOTHING) is None
    made = series.look(SECOND, counted([1.0]))
    assert made is not None
    assert (made.begin_seconds, made.throughput) == (0.0, 1.0)


def test_too_short_a_slice_goes_into_the_next() -> None:
    """In a moment a single exchange would make any rate; it is counted all the same."""
    series = Series()
    series.look(0, NOTHING)
    assert series.look(SHORTEST_NANOSECONDS - 1, counted([1.0])) is None
    made = series.look(SECOND, counted([1.0, 1.0]))
    assert made is not None
    assert (made.begin_seconds, made.throughput) == (0.0, 2.0)


def test_nothing_was_answered() -> None:
    """A slice without a right reply has no times."""
    made = Series().look(SECOND, counted(failed={Outcome.TIMEOUT: 2}))
    assert made is not None
    assert (made.p50_seconds, made.p99_seconds, made.max_seconds, made.failures) == (None, None, None, 2)


def test_failures_of_the_warm_up_do_not_count() -> None:
    """What the warm-up does not measure is not told as a failure of the load."""
    row = [0] * SCHEMA.row_slots
    tally = Tally(row)
    tally.failed(0, Outcome.EOF)
    assert failures(row) == 0
    tally.measured_from = 0
    tally.failed(0, Outcome.EOF)
    tally.good(0, 0, 0, MILLISECOND, 64)
    assert failures(row) == 1
