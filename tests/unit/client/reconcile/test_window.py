"""What can be said of two counts that move while they are read."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.reconcile.window import (
    Comparison,
    Conclusion,
    Point,
    brackets,
    judge,
    judge_late,
    quietest,
    whole_time,
)

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


def _judged(left: Sequence[Point], right: Sequence[Point]) -> Comparison:
    judgement = judge(left, right, SETTLING)
    assert judgement is not None
    return judgement


def _read(count: Sequence[int], lag: float, lost: int) -> tuple[list[Point], list[Point]]:
    """Read a count, and the same as it arrives `lag` seconds later with `lost` gone, in turns, over all of its time."""
    moments = [0.2 * number for number in range(len(count) // 2)]
    left = [Point(moment, moment + 0.05, _at(count, moment)) for moment in moments]
    right = [
        Point(moment + 0.07, moment + 0.13, max(_at(count, moment + 0.1 - lag) - lost, -lost)) for moment in moments
    ]
    return left, right


@given(steps, st.floats(0, SETTLING - 0.2))
def test_nothing_lost_never_differs(moves: list[int], lag: float) -> None:
    """Whatever moves, and however late within the time to settle it arrives, counts that lose nothing never differ."""
    left, right = _read([*accumulate(moves)], lag, lost=0)
    assert _judged(left, right).verdict is not Conclusion.DIFFER


@given(steps, st.floats(0, SETTLING - 0.2), st.integers(-500, 500).filter(bool), st.integers(1, 60))
def test_loss_shows_once_it_is_quiet(moves: list[int], lag: float, lost: int, until: int) -> None:
    """What was lost, or added, is told to the byte as soon as there is a pause, whatever moved before."""
    count = [*accumulate([*moves[:until], *[0] * 80])]
    left, right = _read(count, lag, lost)
    judgement = _judged(left, right)
    assert (judgement.verdict, judgement.bracket.difference) == (Conclusion.DIFFER, -lost)


@given(steps, st.floats(0, SETTLING - 0.2), st.integers(-500, 500))
def test_bounds_hold(moves: list[int], lag: float, lost: int) -> None:
    """Of every settled moment, the true difference is within what is said of it."""
    left, right = _read([*accumulate(moves)], lag, lost)
    for bracket in brackets(left, right, SETTLING, SETTLING):
        assert bracket.low <= -lost <= bracket.high
        assert abs(bracket.difference) <= abs(lost)


@given(steps, st.floats(0, 3), st.floats(0, 3))
def test_windows_are_the_closest(moves: list[int], before: float, after: float) -> None:
    """Each window has the closest readings that are old and young enough, and there is one wherever there are such."""
    left, right = _read([*accumulate(moves)], 0, 0)
    expected = []
    for point in right:
        older = bisect_right([each.ended for each in left], point.began - before) - 1
        younger = next((each for each in left if each.began >= point.ended + after), None)
        if older >= 0 and younger is not None:
            expected.append((point.value - younger.up, point.value - left[older].up))
    assert [(bracket.low, bracket.high) for bracket in brackets(left, right, before, after)] == expected


def test_exact_in_the_one_quiet_moment() -> None:
    """One moment at which nothing moved and both were equal is enough."""
    judgement = _judged(_points(0, 10, 10, 30, 40), _points(3, 10, 27, 35, began=0.5))
    assert judgement.verdict is Conclusion.AGREE
    assert (judgement.bracket.left, judgement.bracket.right) == (10, 10)


def test_passing_by_is_no_agreement() -> None:
    """Counts that are equal by chance, while one of them moves, do not agree to the byte."""
    judgement = _judged(_points(0, 10, 20, 30), _points(10, 20, 30, began=0.5))
    assert judgement.verdict is Conclusion.WITHIN


def test_always_moving() -> None:
    """Without a pause, the difference is within what moved in the moment when least did."""
    judgement = _judged(_points(0, 100, 110, 300), _points(50, 104, 200, began=0.5))
    assert judgement.verdict is Conclusion.WITHIN
    assert (judgement.bracket.low, judgement.bracket.high, judgement.bracket.difference) == (-6, 4, 0)


@pytest.mark.parametrize(("settling", "verdict"), [(0.4, Conclusion.DIFFER), (5.0, Conclusion.WITHIN)])
def test_one_byte_that_is_late(settling: float, verdict: Conclusion) -> None:
    """A byte that has not come is lost if it had its time, and under way otherwise, as far as the others tell."""
    left, right = _points(0, 9, 9, 9, 20), _points(5, 8, 8, 15, began=0.5)
    judgement = judge(left, right, settling)
    assert judgement is not None
    assert judgement.verdict is verdict
    assert judgement.bracket.difference == (-1 if verdict is Conclusion.DIFFER else 0)


def test_later_agreement_and_later_loss() -> None:
    """What is seen last counts: a byte that came in the end, and one that was lost after all had agreed."""
    quiet = [5] * 12
    came = _judged(_points(*quiet, apart=0.5), _points(*[4] * 6, *[5] * 5, began=0.25, apart=0.5))
    lost = _judged(_points(*quiet, apart=0.5), _points(*[5] * 6, *[4] * 5, began=0.25, apart=0.5))
    assert (came.verdict, lost.verdict) == (Conclusion.AGREE, Conclusion.DIFFER)


def test_too_few_readings() -> None:
    """Without a reading on either side there is nothing to judge by; without time to settle there is no doubt given."""
    assert judge(_points(1), _points(1, began=0.5), SETTLING) is None
    assert judge([], [], SETTLING) is None
    judgement = judge(_points(7, 7), _points(6, began=0.5), SETTLING)
    assert judgement is not None
    assert (judgement.verdict, judgement.bracket.difference) == (Conclusion.DIFFER, -1)


def test_two_counts_of_the_same_readings() -> None:
    """One side's own counts are read together: where the next reading shows that nothing moved, they are exact."""
    sent, received = (
        [point._replace(ended=point.began + 0.25) for point in _points(*counts)]
        for counts in ((5, 9, 9, 9), (5, 7, 9, 9))
    )
    assert [(bracket.low, bracket.high) for bracket in brackets(sent, received)] == [(-4, 0), (-2, -2), (0, 0)]
    settled = brackets(sent, received, 0.5, 0.5)
    assert [(bracket.at, bracket.low, bracket.high) for bracket in settled] == [(1, -2, 2), (2, 0, 0)]


def test_count_that_falls() -> None:
    """Of a count that is the difference of two, nothing moved only if neither did."""
    left = [Point(0, 0, 5, 2), Point(1, 1, 6, 3)]  # 3 open, and then 3 others
    (bracket,) = brackets(left, [Point(0.5, 0.5, 8, 5)])
    assert (bracket.low, bracket.high, bracket.moved, bracket.right) == (-1, 1, 2, 3)


@pytest.mark.parametrize("slack_of", ["left", "right"])
@pytest.mark.parametrize(
    ("more", "verdict"), [(0, "agree"), (1, "within"), (2, "within"), (3, "differ"), (-1, "differ")]
)
def test_slack(slack_of: str, more: int, verdict: str) -> None:
    """Up to what may not belong to a count, it may be more than the other, and never less."""
    vague, exact = (
        [Point(time, time, count, 0, slack) for time in range(8)] for count, slack in ((10 + more, 2), (10, 0))
    )
    other = [point._replace(began=point.began + 0.5, ended=point.ended + 0.5) for point in exact]
    judgement = _judged(exact, vague) if slack_of == "right" else _judged(vague, other)
    assert (
        judgement.verdict
        is {"agree": Conclusion.AGREE, "within": Conclusion.WITHIN, "differ": Conclusion.DIFFER}[verdict]
    )


def test_since_a_baseline() -> None:
    """What differed before, and no more than that, does not count; how little was known of it does."""
    left, right = _points(*[50] * 8), _points(*[58] * 7, began=0.5)
    for before, verdict in (([8], Conclusion.AGREE), ([7], Conclusion.DIFFER), ([5, 12], Conclusion.WITHIN)):
        (baseline,) = brackets(_points(0, before[-1] - before[0]), _points(before[-1], began=0.5))
        judgement = judge(left, right, SETTLING, baseline)
        assert judgement is not None
        assert judgement.verdict is verdict


def test_late_count() -> None:
    """A count that is told late agrees with any that was there meanwhile, exactly only with one that stood still."""
    left = _points(10, 20, 20, 30)
    for told, verdict, difference in (
        (20, Conclusion.AGREE, 0),
        (12, Conclusion.WITHIN, 0),
        (9, Conclusion.DIFFER, -1),
        (30.5, Conclusion.DIFFER, 0.5),
    ):
        judgement = judge_late(left, _points(told, told, told, began=0.5))
        assert judgement is not None
        assert (judgement.verdict, judgement.bracket.difference) == (verdict, difference)
    assert judge_late(left, []) is None


def test_quietest() -> None:
    """Of several moments at which as little moved, the last one tells."""
    found = brackets(_points(0, 5, 5, 9, 9), _points(1, 2, 3, 4, began=0.5))
    assert quietest(found) == found[-1]
    assert quietest(found[:3]) == found[1]
    assert quietest([]) is None
    assert whole_time(_points(0, 5, 5), _points(1, 2, began=0.5)).width == 5
