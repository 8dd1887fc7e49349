"""Whether two counts agree."""

import pytest

from stentor_client.reconcile.bracket import Bracket
from stentor_client.reconcile.judging import Comparison, Conclusion, judge, lasts

AGREE, WITHIN, DIFFER, UNKNOWN = Conclusion.AGREE, Conclusion.WITHIN, Conclusion.DIFFER, Conclusion.UNKNOWN


def _bracket(low: float, high: float = 0.0, at: float = 1.0, counted: float = 1000.0) -> Bracket:
    high = max(low, high)
    return Bracket(
        low=low,
        high=high,
        left=counted,
        right=counted + low,
        moved=high - low,
        counted=counted,
        at=at,
        rest=False,
    )


def _judged(*found: Bracket, lasting: float = 0.0, accepted: float | None = None) -> Comparison:
    comparison = judge(found, lasting, accepted)
    assert comparison is not None
    assert bool(comparison.reason) is (comparison.conclusion is UNKNOWN)
    return comparison


@pytest.mark.parametrize(
    ("low", "high", "accepted", "conclusion"),
    [
        (0, 0, None, AGREE),
        (0, 0, 0.0, AGREE),
        (-20, 15, None, WITHIN),
        (-20.5, 15, None, UNKNOWN),
        (-5, 21, None, UNKNOWN),
        (-1, 1, 0.0, UNKNOWN),
        (-5, 21, 0.03, WITHIN),
        (1, 1, None, DIFFER),
        (-900, -1, None, DIFFER),
        (10, 10, 0.01, Conclusion.ACCEPTED),
        (5, 11, 0.01, UNKNOWN),
        (11, 11, 0.01, DIFFER),
        (11, 900, 0.01, DIFFER),
    ],
)
def test_one_bracket(low: float, high: float, accepted: float | None, conclusion: Conclusion) -> None:
    """Only an exact difference of nothing agrees to the byte, and a bracket wider than a small share says nothing."""
    assert _judged(_bracket(low, high), accepted=accepted).conclusion is conclusion


@pytest.mark.parametrize(
    ("differences", "conclusion"),
    [
        ([0, -1], DIFFER),  # lost after all had agreed
        ([-1, 0, 0], AGREE),  # it arrived late
        ([-1, 0], UNKNOWN),  # a value that passes by is equal once
        ([-1, 0, 3], DIFFER),
        ([-1, -100], DIFFER),
    ],
)
def test_several_moments(differences: list[float], conclusion: Conclusion) -> None:
    """The last moments decide."""
    found = [_bracket(each, each, at=number) for number, each in enumerate(differences)]
    comparison = _judged(*found)
    assert comparison.conclusion is conclusion
    if conclusion is DIFFER:
        assert comparison.bracket.difference == differences[-1]


def test_wide_brackets_refute_nothing() -> None:
    """A bracket that is too wide to show a difference does not refute one."""
    comparison = _judged(_bracket(-3, -3, at=1), _bracket(-10, 10, at=2))
    assert (comparison.conclusion, comparison.bracket.difference) == (DIFFER, -3)


@pytest.mark.parametrize(("until", "conclusion"), [(1.5, UNKNOWN), (2, DIFFER)])
def test_difference_must_last(until: float, conclusion: Conclusion) -> None:
    """A difference counts if it shows for as long as bytes are under way, since the counts were last equal."""
    found = [_bracket(-7, -7, at=0), _bracket(0, 0, at=0.5), _bracket(-7, -7, at=1), _bracket(-7, -7, at=until)]
    assert _judged(*found, lasting=1).conclusion is conclusion


def test_nothing_to_judge() -> None:
    """Without a bracket there is no conclusion."""
    assert judge([]) is None
    assert not lasts([], 1)


def test_lasts() -> None:
    """A difference is known if it is exact and was the same before."""
    found = [_bracket(-2, -2, at=0), _bracket(-2, -2, at=1)]
    assert [lasts(found, seconds) for seconds in (1, 1.5)] == [True, False]
    assert not lasts([_bracket(-3, -3, at=0), found[1]], 1)
    assert not lasts([_bracket(-2, 2, at=0), _bracket(-2, 2, at=1)], 1)


@pytest.mark.parametrize(
    ("before", "after", "conclusion"),
    [(8, (8, 8), AGREE), (7, (8, 8), DIFFER), (7, (7, 9), WITHIN), (7, (-30, 30), UNKNOWN)],
)
def test_since_a_baseline(before: float, after: tuple[float, float], conclusion: Conclusion) -> None:
    """The difference at the baseline is left out, and only what was counted since is compared."""
    baseline = _bracket(before, before)
    assert _judged(_bracket(*after, counted=2000).since(baseline)).conclusion is conclusion
