"""Comparing two counts that move while they are read."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from stentor_client.reconcile.bracket import Point, brackets, certain, narrowest, settled, widest
from stentor_client.reconcile.judging import Comparison, Conclusion, judge

SETTLING = 1.0
# Steps of a count, one for each 0.1 s, with pauses that are long enough to settle in and others that are not.
steps = st.lists(st.one_of(st.just(0), st.integers(0, 1000)), min_size=80, max_size=200)


def _points(*counts: float, began: float = 0.0, apart: float = 1.0) -> list[Point]:
    """Return readings that take no time, and are this far apart."""
    return [Point(began + number * apart, began + number * apart, count) for number, count in enumerate(counts)]


def _at(count: Sequence[int], moment: float) -> int:
    """Return the count at a moment; it changes each tenth of a second, and is 0 before."""
    index = int(moment * 10)
    return count[min(index, len(count) - 1)] if index >= 0 else 0


def _compared(left: Sequence[Point], right: Sequence[Point]) -> Comparison:
    comparison = judge(settled(left, right, SETTLING, losing=True), SETTLING)
    assert comparison is not None
    return comparison


def _read(count: Sequence[int], lag: float, lost: int) -> tuple[list[Point], list[Point]]:
    """Read a count, and in turns the same count `lag` seconds later with `lost` missing."""
    moments = [0.2 * number for number in range(len(count) // 2)]
    left = [Point(moment, moment + 0.05, _at(count, moment)) for moment in moments]
    right = [
        Point(moment + 0.07, moment + 0.13, max(_at(count, moment + 0.1 - lag) - lost, -lost)) for moment in moments
    ]
    return left, right


@given(steps, st.floats(0, SETTLING - 0.2))
def test_nothing_lost_never_differs(moves: list[int], lag: float) -> None:
    """Counts that lose nothing never differ, whatever moves, if it arrives within the time to settle."""
    left, right = _read([*accumulate(moves)], lag, lost=0)
    assert _compared(left, right).conclusion is not Conclusion.DIFFER


@given(steps, st.floats(0, SETTLING - 0.2), st.integers(-500, 500).filter(bool), st.integers(1, 60))
def test_loss_shows_once_it_is_quiet(moves: list[int], lag: float, lost: int, until: int) -> None:
    """What was lost or added is found to the byte in the first pause, whatever moved before."""
    count = [*accumulate([*moves[:until], *[0] * 80])]
    left, right = _read(count, lag, lost)
    comparison = _compared(left, right)
    assert (comparison.conclusion, comparison.bracket.difference) == (Conclusion.DIFFER, -lost)


@given(steps, st.floats(0, SETTLING - 0.2), st.integers(-500, 500))
def test_bounds_hold(moves: list[int], lag: float, lost: int) -> None:
    """Every settled bracket contains the true difference, so what has lost something never agrees."""
    left, right = _read([*accumulate(moves)], lag, lost)
    for bracket in brackets(left, right, SETTLING, SETTLING):
        assert bracket.low <= -lost <= bracket.high
        assert abs(bracket.difference) <= abs(lost)
    assert not lost or _compared(left, right).conclusion is not Conclusion.AGREE


@given(steps, st.floats(0, 3), st.floats(0, 3))
def test_brackets_are_the_closest(moves: list[int], before: float, after: float) -> None:
    """Each bracket has the closest readings that are old and young enough, if there are any."""
    left, right = _read([*accumulate(moves)], 0, 0)
    expected = []
    for point in right:
        older = bisect_right([each.ended for each in left], point.began - before) - 1
        younger = next((each for each in left if each.began >= point.ended + after), None)
        if older >= 0 and younger is not None:
            expected.append((point.value - younger.up, point.value - left[older].up))
    assert [(bracket.low, bracket.high) for bracket in brackets(left, right, before, after)] == expected


def test_two_counts_of_the_same_readings() -> None:
    """Counts of the same readings are exact if the next reading shows that nothing moved."""
    sent, received = (
        [point._replace(ended=point.began + 0.25) for point in _points(*counts)]
        for counts in ((5, 9, 9, 9), (5, 7, 9, 9))
    )
    assert [(bracket.low, bracket.high) for bracket in brackets(sent, received)] == [(-4, 0), (-2, -2), (0, 0)]
    settled = brackets(sent, received, 0.5, 0.5)
    assert [(bracket.at, bracket.low, bracket.high) for bracket in settled] == [(1, -2, 2), (2, 0, 0)]


def test_count_that_falls() -> None:
    """A count that is a difference stood still only if both of its parts did."""
    left = [Point(0, 0, 5, 2), Point(1, 1, 6, 3)]  # 3 open, and then 3 others
    (bracket,) = brackets(left, [Point(0.5, 0.5, 8, 5)])
    assert (bracket.low, bracket.high, bracket.moved, bracket.right) == (-1, 1, 2, 3)


def test_narrowest() -> None:
    """Of several brackets of the same width, the last one counts."""
    found = brackets(_points(0, 5, 5, 9, 9), _points(1, 2, 3, 4, began=0.5))
    assert narrowest(found) == found[-1]
    assert narrowest(found[:3]) == found[1]
    assert narrowest([]) is None
    assert widest(_points(0, 5, 5), _points(1, 2, began=0.5)).width == 5


def test_at_rest() -> None:
    """Readings at rest need no time to settle; what stays under way is only lost if bytes ever were."""
    left = [Point(0, 0, 9, rest=True), Point(1, 1, 9, rest=True), Point(2, 2, 12), Point(3, 3, 12), Point(5, 5, 12)]
    right = [Point(0.5, 0.5, 8), Point(1.5, 1.5, 9), Point(2.5, 2.5, 9), Point(4, 4, 9)]
    assert [(each.at, each.low, each.high) for each in certain(left, right, 1, losing=False)] == [
        (0.5, -1, -1),
        (1.5, -3, 0),
        (2.5, -3, 0),
    ]
    assert [each.at for each in settled(left, right, 1, losing=True)] == [1.5, 2.5, 4]
