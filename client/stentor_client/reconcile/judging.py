"""Judges whether two counts agree, by brackets of their difference."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from stentor_client.output.wording import number, share
from stentor_client.reconcile.bracket import Bracket, narrowest

# A bracket that is wider than this share of the count proves nothing.
_SMALL_SHARE: Final = 0.02
_FEWEST_AGREEING = 2  # moments, after a difference: a count that overtakes the other is equal to it once


class Conclusion(StrEnum):
    """Whether two counts agree."""

    AGREE = "agree"
    WITHIN = "agree within what moved"
    ACCEPTED = "differ by an accepted share"
    DIFFER = "differ"
    UNKNOWN = "cannot tell"


class Comparison(NamedTuple):
    """A conclusion, the bracket that led to it, and the reason if it is that nobody can tell."""

    conclusion: Conclusion
    bracket: Bracket
    reason: str = ""


def judge(found: Sequence[Bracket], lasting: float = 0.0, accepted: float | None = None) -> Comparison | None:
    """Judge by brackets that contain the true difference, in order of time; return None if there is none.

    The narrowest brackets decide, and of these the last: bytes arrive late, or are lost after all had agreed. A
    difference must show at moments that are `lasting` seconds apart. With `accepted`, a share of the count, smaller
    differences are none, and brackets may be that wide.
    """
    best = narrowest(found)
    if best is None:
        return None
    allowed = _SMALL_SHARE if accepted is None else accepted

    def is_off(bracket: Bracket) -> bool:
        return abs(bracket.difference) > (accepted or 0) * bracket.counted

    off = [each for each in found if is_off(each)]
    agreeing = [each.at for each in found if each.width <= best.width and not is_off(each)]
    lasts_off = [each for each in off if not agreeing or each.at > agreeing[-1]]
    within = [each for each in found if each.bound <= allowed * each.counted or each.equal]
    reason = ""
    if lasts_off:
        best = narrowest(lasts_off) or best
        if lasts_off[-1].at - lasts_off[0].at < lasting:
            reason = "a difference showed for too short a time to be certain"
    elif not within:
        reason = f"{number(best.bound)} may be missing or surplus, which is more than {share(allowed)} of the count"
    else:
        best = next((each for each in reversed(within) if each.equal), None) or narrowest(within) or best
        if off and len({each.at for each in within if each.at > off[-1].at}) < _FEWEST_AGREEING:
            reason = "the counts differed, and were not equal twice since"
    if reason:
        return Comparison(Conclusion.UNKNOWN, best, reason)
    good = Conclusion.AGREE if best.equal else Conclusion.ACCEPTED if best.difference else Conclusion.WITHIN
    return Comparison(Conclusion.DIFFER if is_off(best) else good, best)


def lasts(found: Sequence[Bracket], lasting: float) -> bool:
    """Return whether the difference is exact, and was the same `lasting` seconds before."""
    last = narrowest(found)
    return (
        last is not None
        and not last.width
        and any((each.low, each.high) == (last.low, last.high) and last.at - each.at >= lasting for each in found)
    )
