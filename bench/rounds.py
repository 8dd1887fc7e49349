"""Rounds: everyone in turn on each cell, so that the machine's drift hits all alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.contender import STENTOR, Contender, stentor
from bench.measurement import Laboratory, Run
from bench.peer import REFERENCE
from bench.workload import CONNECTIONS, FLOOD, FULL, GROWTH, MAIN, OBSERVATION, OBSERVED, SIZES, WORKERS, Cell, Timing

Say = Callable[[str], None]
Group = tuple[tuple[Cell, Contender], ...]  # measured right after each other, and compared

QUIET = "stentor-quiet"
SCRAPED = "stentor-scraped"


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
                for cell, contender in rotated(group, round_ - 1):
                    runs.append(laboratory.run(cell, contender, self.timing, round_))
                    say(progress(runs[-1], self.timing.rounds))
        return runs


def main_series(ready: Sequence[Contender], cells: Sequence[Cell], timing: Timing) -> Series:
    """Return the series of the main table."""
    return Series("the main table", tuple(tuple((cell, one) for one in ready) for cell in cells), timing)


def all_series(ready: Sequence[Contender]) -> list[Series]:
    """Return every series of the full run."""
    observed = (stentor(), stentor(QUIET, "--log-level", "error"), stentor(SCRAPED, scraped=True))
    growing = [one for one in ready if one.name in {STENTOR, REFERENCE}]
    workers = tuple((cell, stentor(workers=number)) for number, cell in enumerate(WORKERS, 1))
    return [
        main_series(ready, MAIN, FULL),
        Series("observability", tuple(tuple((cell, one) for one in observed) for cell in OBSERVED), OBSERVATION),
        Series("flood", (tuple((cell, stentor()) for cell in FLOOD),), OBSERVATION),
        Series("workers", (workers,), FULL),
        Series("growth", tuple(tuple((cell, one) for one in growing) for cell in (*SIZES, *CONNECTIONS)), GROWTH),
    ]


def rotated(group: Group, by: int) -> Group:
    """Return the same, beginning `by` places later."""
    by %= len(group)
    return (*group[by:], *group[:by])


def progress(run: Run, rounds: int) -> str:
    """Return a line about a run for who waits."""
    came = f"{run.rate:11.1f}/s {run.cpu_us:9.2f} µs CPU {run.server_utilisation:5.0%} busy"
    failed = f"failed: {run.failure}"
    return f"  {run.round}/{rounds}  {run.cell:18} {run.contender:22} {failed if run.failure else came}"
