"""Rounds: everyone in turn on each cell, so that the machine's drift hits all alike."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.contender import STENTOR, Contender, stentor
from bench.measurement import Group, Laboratory, Run, rotated
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
    SCRAPED,
    SIZES,
    TAILS,
    WORKERS,
    Cell,
    Timing,
)

Say = Callable[[str], None]
QUIET = "stentor-quiet"
SILENT = "stentor-silent"
WATCHED = "stentor-watched"


@dataclass(frozen=True)
class Series:
    """Groups that are measured over the same rounds."""

    title: str
    groups: tuple[Group, ...]
    timing: Timing

    def measure(self, laboratory: Laboratory, say: Say) -> list[Run]:
        """Measure every group in each round; who begins in a group changes from round to round."""
        say(f"{self.title}:")
        runs: list[Run] = []
        for round_ in range(1, self.timing.rounds + 1):
            for group in self.groups:
                for run in self._measured(laboratory, rotated(group, round_ - 1), round_):
                    runs.append(run)
                    say(progress(run, self.timing.rounds))
        return runs

    def _measured(self, laboratory: Laboratory, group: Group, round_: int) -> Iterable[Run]:
        if self.timing.slices:
            return laboratory.compare(group, self.timing, round_)
        return (laboratory.run(cell, contender, self.timing, round_) for cell, contender in group)


def main_series(ready: Sequence[Contender], cells: Sequence[Cell], timing: Timing) -> Series:
    """Return the series of the main table."""
    return Series("the main table", tuple(tuple((cell, one) for one in ready) for cell in cells), timing)


def all_series(ready: Sequence[Contender], folder: Path) -> list[Series]:
    """Return every series of the full run; what it takes is built in `folder`."""
    growing = [one for one in ready if one.name in {STENTOR, REFERENCE}]
    workers = tuple((cell, stentor(workers=number)) for number, cell in enumerate(WORKERS, 1))
    return [
        main_series(ready, MAIN, FULL),
        *observation_series(folder),
        Series("flood", (tuple((cell, stentor()) for cell in FLOOD),), TAILS),
        Series("workers", (workers,), FULL),
        Series("growth", tuple(tuple((cell, one) for one in growing) for cell in (*SIZES, *CONNECTIONS)), GROWTH),
    ]


def observation_series(folder: Path) -> list[Series]:
    """Return the series of what metrics, logs and scrapes cost; what it takes is built in `folder`."""
    without_log = ("--log-level", "error")
    observed = (stentor(), stentor(QUIET, *without_log), stentor(SILENT, *without_log, packages=uncounted(folder)))
    watched = ((SCRAPED, stentor()), (SCRAPED, stentor(WATCHED, scraped=True)))
    return [
        Series("metrics and logs", tuple(tuple((cell, one) for one in observed) for cell in OBSERVED), COMPARISON),
        Series("scrapes", (watched,), TAILS),
    ]


def progress(run: Run, rounds: int) -> str:
    """Return a line about a run for who waits."""
    came = f"{run.rate:11.1f}/s {run.cpu_us:9.2f} µs CPU {run.server_utilisation:5.0%} busy"
    failed = f"failed: {run.failure}"
    return f"  {run.round}/{rounds}  {run.cell:18} {run.contender:22} {failed if run.failure else came}"
