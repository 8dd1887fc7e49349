"""Ratios within a round, their medians and their spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measurement import Run

Figure = Callable[[Run], float]


@dataclass(frozen=True)
class Spread:
    """A median with the lowest and the highest value."""

    median: float
    low: float
    high: float

    def text(self, form: str = ".2f") -> str:
        """Return the median and, unless they look alike, the range."""
        low, high = format(self.low, form), format(self.high, form)
        return format(self.median, form) + (f" ({low}–{high})" if low != high else "")


def spread_of(values: Sequence[float]) -> Spread | None:
    """Return the spread of some values, None if there are none."""
    return Spread(median(values), min(values), max(values)) if values else None


def spread(runs: Sequence[Run], cell: str, contender: str, figure: Figure) -> Spread | None:
    """Return the spread of a figure over the rounds."""
    return spread_of(list(_figures(runs, cell, contender, figure).values()))


def ratio(
    runs: Sequence[Run], one: tuple[str, str], other: tuple[str, str], figure: Figure = lambda run: run.rate
) -> Spread | None:
    """Return the spread of the ratio of one (cell, contender) to another, each within a round."""
    above, below = _figures(runs, *one, figure), _figures(runs, *other, figure)
    return spread_of([above[n] / below[n] for n in sorted(above.keys() & below.keys()) if below[n]])


def _figures(runs: Sequence[Run], cell: str, contender: str, figure: Figure) -> dict[int, float]:
    """Return a figure of one contender in one cell by round, without failed runs."""
    return {run.round: figure(run) for run in runs if (run.cell, run.contender, run.failure) == (cell, contender, "")}
