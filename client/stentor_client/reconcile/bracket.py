"""Brackets the difference of two counts that move while they are read one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Point(NamedTuple):
    """A count, `up - down`, at some moment between `began` and `ended`; `up` and `down` only grow.

    At `rest`, nothing that it counted is still under way. Times are seconds of one clock.
    """

    began: float
    ended: float
    up: float
    down: float = 0
    rest: bool = False

    @property
    def value(self) -> float:
        """The count."""
        return self.up - self.down


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """How much larger the right count was than the left at one moment: from `low` to `high`.

    The right count was read once, the left count before it and after it. The bracket is as wide as the left count moved
    in between.
    """

    low: float
    high: float
    left: float  # at its second reading
    right: float
    moved: float  # by the left count, between its two readings
    counted: float  # by the left side, without what went down
    at: float
    rest: bool  # at both readings of the left count

    @property
    def width(self) -> float:
        """How uncertain the difference is; 0 if it is exact."""
        return self.high - self.low

    @property
    def difference(self) -> float:
        """The smallest difference that is certain, with its sign; 0 if there may be none."""
        return max(self.low, 0) + min(self.high, 0)

    @property
    def bound(self) -> float:
        """The largest difference that is possible, without its sign."""
        return max(-self.low, self.high)

    @property
    def equal(self) -> bool:
        """Whether both were the same at a moment when nothing moved."""
        return not self.moved and self.left == self.right

    def since(self, baseline: "Bracket") -> "Bracket":
        """Return how the difference, and both counts, changed since another moment."""
        return Bracket(
            low=self.low - baseline.high,
            high=self.high - baseline.low,
            left=self.left - baseline.left,
            right=self.right - baseline.right,
            moved=self.moved + baseline.moved,
            counted=self.counted - baseline.counted,
            at=self.at,
            rest=self.rest and baseline.rest,
        )


def brackets(left: Sequence[Point], right: Sequence[Point], before: float = 0, after: float = 0) -> list[Bracket]:
    """Return a bracket for each reading of the right count that lies between two readings of the left.

    The first of the two is at least `before` seconds older, the second at least `after` seconds younger, both as close
    as possible. Points are in order of time. If both counts are from the same readings and `before` is 0, the first is
    from the reading itself.
    """
    found = []
    older, younger = -1, 0
    for point in right:
        while older + 1 < len(left) and _is_older(left[older + 1], point, before):
            older += 1
        while younger < len(left) and left[younger].began < point.ended + after:
            younger += 1
        if older >= 0 and younger < len(left):
            found.append(_bracket(left[older], point, left[younger]))
    return found


def settled(left: Sequence[Point], right: Sequence[Point], settling: float, *, losing: bool) -> list[Bracket]:
    """Return the brackets of left readings that are at least `settling` seconds away: bytes under way arrive meanwhile.

    If none were ever lost, so not `losing`, bytes that are under way although nothing moves just take longer.
    """
    found = brackets(left, right, settling, settling)
    return [bracket for bracket in found if losing or bracket.moved or bracket.rest]


def certain(left: Sequence[Point], right: Sequence[Point], settling: float, *, losing: bool) -> list[Bracket]:
    """Return the brackets that contain the true difference, in order of time: settled, or at rest all the while."""
    resting = [bracket for bracket in brackets(left, right) if bracket.rest]
    return sorted(resting + settled(left, right, settling, losing=losing), key=lambda bracket: bracket.at)


def widest(left: Sequence[Point], right: Sequence[Point]) -> Bracket:
    """Return the bracket of all readings: the right count may be from any moment of them."""
    return _bracket(left[0], right[-1], left[-1])


def narrowest(found: Sequence[Bracket]) -> Bracket | None:
    """Return the narrowest bracket, of several the last."""
    return min(reversed(found), key=lambda bracket: bracket.width, default=None)


def _is_older(left: Point, point: Point, before: float) -> bool:
    return left.ended <= point.began - before or (not before and left.began == point.began)


def _bracket(older: Point, point: Point, younger: Point) -> Bracket:
    most, least = younger.up - older.down, older.up - younger.down
    return Bracket(
        low=point.value - most,
        high=point.value - least,
        left=younger.value,
        right=point.value,
        moved=most - least,
        counted=younger.up,
        at=point.began,
        rest=older.rest and younger.rest,
    )
