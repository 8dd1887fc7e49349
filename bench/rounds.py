"""Rounds: everyone in turn on each cell, so that the machine's drift hits all alike."""

from collections.abc import Callable, Sequence

from bench.contender import Contender
from bench.measurement import Laboratory, Run
from bench.workload import Cell, Timing

Say = Callable[[str], None]


def rounds(
    laboratory: Laboratory, cells: Sequence[Cell], contenders: Sequence[Contender], timing: Timing, say: Say
) -> list[Run]:
    """Measure each contender on each cell in each round; who begins changes from round to round."""
    runs: list[Run] = []
    for round_ in range(1, timing.rounds + 1):
        for cell in cells:
            for contender in rotated(contenders, round_ - 1):
                run = laboratory.run(cell, contender, timing, round_)
                runs.append(run)
                say(progress(run, timing.rounds))
    return runs


def rotated(contenders: Sequence[Contender], by: int) -> list[Contender]:
    """Return the same, beginning `by` places later."""
    by %= len(contenders)
    return [*contenders[by:], *contenders[:by]]


def progress(run: Run, rounds_: int) -> str:
    """Return a line about a run for who waits."""
    if run.failure:
        came = f"failed: {run.failure}"
    else:
        came = f"{run.rate:11.1f}/s {run.cpu_us:9.2f} µs CPU  server core {run.server_utilisation:4.0%}"
    return f"  round {run.round}/{rounds_}  {run.cell:12} {run.contender:22} {came}"
