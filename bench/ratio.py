"""Ratios of the same round, their medians and their spread."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.measurement import Run


@dataclass(frozen=True)
class Spread:
    """A median, and the least and the most beside it."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """Return the spread of some values; none of none."""
        return cls(median(values), min(values), max(values)) if values else None

    @property
    def range(self) -> str:
        """From the least to the most, where they differ."""
        least, most = f"{self.least:.2f}", f"{self.most:.2f}"
        return f"({least}–{most})" if least != most else ""

    def __str__(self) -> str:
        """Return the median, and the range beside it."""
        return f"{self.median:.2f} {self.range}".rstrip()


Figure = Callable[[Run], float]


def figures(runs: Sequence[Run], cell: str, contender: str, figure: Figure) -> dict[int, float]:
    """Return a figure of one contender in one cell, by round, without the runs that failed."""
    return {run.round: figure(run) for run in runs if (run.cell, run.contender, run.failure) == (cell, contender, "")}


def spread(runs: Sequence[Run], cell: str, contender: str, figure: Figure) -> Spread | None:
    """Return the spread of a figure over the rounds."""
    return Spread.of(list(figures(runs, cell, contender, figure).values()))


def ratio(
    runs: Sequence[Run], one: tuple[str, str], other: tuple[str, str], figure: Figure = lambda run: run.rate
) -> Spread | None:
    """Return the spread of the ratio of one (cell, contender) to another, each of the same round."""
    above, below = figures(runs, *one, figure), figures(runs, *other, figure)
    return Spread.of([above[n] / below[n] for n in sorted(above.keys() & below.keys()) if below[n]])
