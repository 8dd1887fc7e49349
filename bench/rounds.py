"""Rounds: all servers by turns in each cell, so that the machine's drift affects them alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contender import STENTOR, Contender, stentor
from bench.measurement import Bench, Group, Run, rotated
from bench.peer import REFERENCE
from bench.uncounted import uncounted
from bench.workload import (
    COMPARISON,
    CONNECTIONS,
    FLOOD,
    FULL,
    GROWTH,
    MAIN,
    OBSERVED,
    PAIR,
    SCRAPED,
    SIZES,
    TAILS,
    WORKERS,
    Cell,
    Timing,
)

QUIET = "stentor-quiet"
SILENT = "stentor-silent"
WATCHED = "stentor-watched"
OTHER = "stentor-other"


@dataclass(frozen=True)
class Series:
    """Groups that are measured in the same rounds."""

    title: str
    groups: tuple[Group, ...]
    timing: Timing

    def runs(self, bench: Bench) -> Iterator[Run]:
        """Measure each group in each round; another member of a group begins each round."""
        for round_ in range(1, self.timing.rounds + 1):
            for group in self.groups:
                turn = rotated(group, round_ - 1)
                for together in [turn] if self.timing.slices else [(one,) for one in turn]:
                    yield from bench.measure(together, self.timing, round_)


def main_series(contenders: Sequence[Contender], cells: Sequence[Cell], timing: Timing) -> Series:
    """Return the series of the main table, or of a part of it."""
    return Series("main table", _groups(contenders, cells), timing)


def pair_series(program: Path, cells: Sequence[Cell]) -> Series:
    """Return the series of Stentor beside another `stentor-server`."""
    return Series("pair", _groups((stentor(), stentor(OTHER, program=program)), cells), PAIR)


def all_series(contenders: Sequence[Contender], folder: Path) -> list[Series]:
    """Return all series of the full measurement; `folder` is for programs."""
    growing = [one for one in contenders if one.name in {STENTOR, REFERENCE}]
    workers = tuple((cell, stentor(workers=number)) for number, cell in enumerate(WORKERS, 1))
    return [
        main_series(contenders, MAIN, FULL),
        *observation_series(folder),
        Series("flood", (tuple((cell, stentor()) for cell in FLOOD),), TAILS),
        Series("workers", (workers,), FULL),
        Series("growth", _groups(growing, (*SIZES, *CONNECTIONS)), GROWTH),
    ]


def observation_series(folder: Path) -> list[Series]:
    """Return the series of the cost of metrics, logs and scrapes; `folder` is for programs."""
    no_logs = ("--log-level", "error")
    observed = (stentor(), stentor(QUIET, *no_logs), stentor(SILENT, *no_logs, packages=uncounted(folder)))
    watched = (stentor(), stentor(WATCHED, scraped=True))
    return [
        Series("metrics and logs", _groups(observed, OBSERVED), COMPARISON),
        Series("scrapes", _groups(watched, (SCRAPED,)), TAILS),
    ]


def _groups(contenders: Sequence[Contender], cells: Sequence[Cell]) -> tuple[Group, ...]:
    return tuple(tuple((cell, one) for one in contenders) for cell in cells)
