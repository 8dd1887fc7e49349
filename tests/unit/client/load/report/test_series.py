"""A load over time."""

import pytest

from stentor_client.load.report.series import SHORTEST_NANOSECONDS, Series
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import MILLISECOND, counted

SECOND = 1000 * MILLISECOND


def test_slices_are_what_is_new() -> None:
    """A slice has the counts since the last, as rates of its own time; one without a right reply has no times."""
    series = Series()
    first = counted([1.0] * 100, {Outcome.EOF: 3})
    second = [new + old for new, old in zip(counted([50.0] * 40), first, strict=True)]
    third = [new + old for new, old in zip(counted(failed={Outcome.EOF: 2}), second, strict=True)]
    for seconds, totals in ((1, first), (3, second), (4, third)):
        series.look(seconds * SECOND, totals)
    one, two, three = series.slices
    assert (one.begin_seconds, one.end_seconds, one.due_rate, one.throughput, one.failures) == (0, 1, 103, 100, 3)
    assert (two.begin_seconds, two.end_seconds, two.due_rate, two.throughput, two.failures) == (1, 3, 20, 20, 0)
    assert [one.p50_seconds, one.p99_seconds, one.max_seconds] == pytest.approx([0.001] * 3, rel=0.01)
    assert [two.p50_seconds, two.p99_seconds, two.max_seconds] == pytest.approx([0.050] * 3, rel=0.01)
    assert (three.p50_seconds, three.p99_seconds, three.max_seconds, three.failures) == (None, None, None, 2)


def test_no_slice_of_the_warm_up_nor_a_very_short_one() -> None:
    """The counts of the warm-up are in no slice; those of a moment are in the next."""
    series = Series()
    for moment, replies in ((-SECOND, 0), (0, 1), (SHORTEST_NANOSECONDS - 1, 2), (SECOND, 3)):
        series.look(moment, counted([1.0] * replies))
    (made,) = series.slices
    assert (made.begin_seconds, made.throughput) == (0.0, 2.0)
