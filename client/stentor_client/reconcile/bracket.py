"""Compares two counts that move while they are read one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Point(NamedTuple):
    """A count, `up - down`, at some moment between `began` and `ended`; `up` and `down` only grow.

    Times are seconds of one clock.
    """

    began: float
    ended: float
    up: float
    down: float = 0

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
    at: float

    @property
    def width(self) -> float:
        """How uncertain the difference is; 0 if it is exact."""
        return self.high - self.low

    @property
    def difference(self) -> float:
        """The smallest difference that is certain, with its sign; 0 if there may be none."""
        return max(self.low, 0) + min(self.high, 0)

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
            at=self.at,
        )


class Conclusion(StrEnum):
    """Whether two counts agree."""

    AGREE = "agree"
    WITHIN = "agree within what moved"
    DIFFER = "differ"


class Comparison(NamedTuple):
    """A conclusion, and the bracket that led to it."""

    conclusion: Conclusion
    bracket: Bracket


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


def compare(
    left: Sequence[Point], right: Sequence[Point], settling: float, baseline: Bracket | None = None
) -> Comparison | None:
    """Compare two counts of the same thing by all their readings; return None if there are too few.

    They agree if they were equal at a moment when nothing moved. They differ if the narrowest bracket with `settling`
    seconds on either side excludes equality: bytes under way arrive in that time, so what is missing is lost.
    Otherwise any difference is within what moved. With a `baseline`, only what was counted since is compared.
    """
    close = _since(brackets(left, right), baseline)
    if not close:
        return None
    settled = narrowest(_since(brackets(left, right, settling, settling), baseline))
    equal = [bracket for bracket in close if bracket.equal]
    lasting = settled.difference if settled else 0
    if equal and (settled is None or not lasting or equal[-1].at > settled.at):
        return Comparison(Conclusion.AGREE, equal[-1])
    if settled and lasting:
        return Comparison(Conclusion.DIFFER, settled)
    near = narrowest([bracket for bracket in close if not bracket.difference]) or settled
    if near is None:  # there was no time to let anything settle
        return Comparison(Conclusion.DIFFER, close[-1])
    return Comparison(Conclusion.WITHIN, near)


def compare_late(left: Sequence[Point], right: Sequence[Point], baseline: Bracket | None = None) -> Comparison | None:
    """Compare a count that arrives late, such as one that is scraped, with all values of the left one meanwhile."""
    if not left or not right:
        return None
    equal = [bracket for bracket in _since(brackets(left, right), baseline) if bracket.equal]
    if equal:
        return Comparison(Conclusion.AGREE, equal[-1])
    (whole,) = _since([widest(left, right)], baseline)
    return Comparison(Conclusion.DIFFER if whole.difference else Conclusion.WITHIN, whole)


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
        at=point.began,
    )


def _since(found: Sequence[Bracket], baseline: Bracket | None) -> list[Bracket]:
    return [bracket.since(baseline) if baseline else bracket for bracket in found]
