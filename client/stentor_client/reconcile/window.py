"""What can be said of two counts that move while they are read one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Point(NamedTuple):
    """A count, `up - down`, of which both parts only grow, as it was at some moment between `began` and `ended`.

    Up to `slack` of it may not belong to it. Times are in seconds of one clock.
    """

    began: float
    ended: float
    up: float
    down: float = 0
    slack: float = 0

    @property
    def value(self) -> float:
        """The count."""
        return self.up - self.down


class Conclusion(StrEnum):
    """Whether two counts agree."""

    AGREE = "agree"
    WITHIN = "agree within what moved"
    DIFFER = "differ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """How much more the right count was than the left at one moment: from `low` to `high`.

    The right one was read once, the left one before it and after it. The width is what the left one moved meanwhile,
    and what may not belong to either.
    """

    low: float
    high: float
    left: float  # as it was after
    right: float
    moved: float  # how much the left one moved between its two readings
    at: float
    slack: float  # how much may not belong to them

    @property
    def width(self) -> float:
        """How little is known: 0 where nothing moved, and all belongs."""
        return self.high - self.low

    @property
    def difference(self) -> float:
        """The least difference that is sure, with its sign; 0 where there may be none."""
        return max(self.low, 0) + min(self.high, 0)

    @property
    def equal(self) -> bool:
        """Whether both were the same at a moment when nothing moved."""
        return not self.moved and self.left == self.right

    def since(self, baseline: "Bracket") -> "Bracket":
        """Return how the difference, and both counts, changed since another moment.

        What may not belong to the counts at both moments is the same, and is in no change.
        """
        lasting = min(self.slack, baseline.slack)
        return Bracket(
            low=self.low - baseline.high + lasting,
            high=self.high - baseline.low - lasting,
            left=self.left - baseline.left,
            right=self.right - baseline.right,
            moved=self.moved + baseline.moved,
            at=self.at,
            slack=max(self.slack, baseline.slack) - lasting,
        )


class Comparison(NamedTuple):
    """A verdict, and the moment that it was seen at."""

    verdict: Conclusion
    bracket: Bracket


def brackets(left: Sequence[Point], right: Sequence[Point], before: float = 0, after: float = 0) -> list[Bracket]:
    """Return a window for each reading of the right count that has readings of the left one around it.

    The one before it is at least `before` seconds older, the one after it at least `after` seconds younger; of all
    that are, the closest. Both sequences ascend in time; where both counts are of the same readings, and `before` is 0,
    the one before is of the reading itself.
    """
    found = []
    older, younger = -1, 0
    for point in right:
        while older + 1 < len(left) and _is_older(left[older + 1], point, before):
            older += 1
        while younger < len(left) and left[younger].began < point.ended + after:
            younger += 1
        if older >= 0 and younger < len(left):
            found.append(_window(left[older], point, left[younger]))
    return found


def judge(
    left: Sequence[Point], right: Sequence[Point], settling: float, baseline: Bracket | None = None
) -> Comparison | None:
    """Judge two counts of the same thing by all readings; where there are too few, there is no judgement.

    They agree if they were equal at a moment when nothing moved. They differ if they do at the moment, of all that the
    readings show, when least moved for `settling` seconds before and after it: whatever is under way arrives in that
    time, so what is missing then is lost. Otherwise no more is known than that any difference is within what moved.
    With a `baseline`, what is judged is what was counted since.
    """
    close = _since(brackets(left, right), baseline)
    if not close:
        return None
    settled = quietest(_since(brackets(left, right, settling, settling), baseline))
    equal = [bracket for bracket in close if bracket.equal]
    lasting = settled.difference if settled else 0
    if equal and (settled is None or not lasting or equal[-1].at > settled.at):
        return Comparison(Conclusion.AGREE, equal[-1])
    if settled and lasting:
        return Comparison(Conclusion.DIFFER, settled)
    near = quietest([bracket for bracket in close if not bracket.difference]) or settled
    if near is None:  # there was no time to let anything settle
        return Comparison(Conclusion.DIFFER, close[-1])
    return Comparison(Conclusion.WITHIN, near)


def judge_late(left: Sequence[Point], right: Sequence[Point], baseline: Bracket | None = None) -> Comparison | None:
    """Judge a count that is told with delay, such as by a scrape: it agrees with the left one as that was meanwhile."""
    if not left or not right:
        return None
    equal = [bracket for bracket in _since(brackets(left, right), baseline) if bracket.equal]
    if equal:
        return Comparison(Conclusion.AGREE, equal[-1])
    (whole,) = _since([whole_time(left, right)], baseline)
    return Comparison(Conclusion.DIFFER if whole.difference else Conclusion.WITHIN, whole)


def whole_time(left: Sequence[Point], right: Sequence[Point]) -> Bracket:
    """Return the window that is as wide as all readings: the right count may be from any moment of them."""
    return _window(left[0], right[-1], left[-1])


def quietest(found: Sequence[Bracket]) -> Bracket | None:
    """Return the window in which least moved, of several the last."""
    return min(reversed(found), key=lambda bracket: bracket.width, default=None)


def _is_older(left: Point, point: Point, before: float) -> bool:
    return left.ended <= point.began - before or (not before and left.began == point.began)


def _window(older: Point, point: Point, younger: Point) -> Bracket:
    most, least = younger.up - older.down, older.up - younger.down
    return Bracket(
        low=point.value - point.slack - most,
        high=point.value - least + max(older.slack, younger.slack),
        left=younger.value,
        right=point.value,
        moved=most - least,
        at=point.began,
        slack=point.slack + max(older.slack, younger.slack),
    )


def _since(found: Sequence[Bracket], baseline: Bracket | None) -> list[Bracket]:
    return [bracket.since(baseline) if baseline else bracket for bracket in found]
