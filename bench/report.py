"""Tables of the results, in Markdown."""

from collections.abc import Iterable, Sequence

from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.memory import CONNECTIONS
from bench.peer import REFERENCE
from bench.ratio import Figure, Spread, ratio, spread, spread_of
from bench.result import Result
from bench.rounds import OTHER
from bench.target import Target
from bench.workload import KIB, MAIN, Cell

MARKS = {True: "✓", False: "✗", None: ""}
NOTHING = "–"


def main_table(runs: Sequence[Run]) -> str:
    """Return the ratios of throughput, and Stentor's targets."""
    names = measured(runs)
    others = [name for name in names if name not in {STENTOR, REFERENCE}]
    ours = [TITLES[STENTOR], ""] if STENTOR in names else []
    rows = []
    for cell in _cells(runs):
        found = main_ratio(runs, cell, STENTOR)
        figures = [_bold(found), MARKS[round(found.median, 2) >= cell.target]] if found else [NOTHING, ""]
        peers = [_median(main_ratio(runs, cell, name)) for name in others]
        rows.append([cell.title, f"≥ {cell.target:.2f}", *figures[: len(ours)], *peers])
    return _table(["workload", "target", *ours, *_titles(others)], rows)


def main_ratio(runs: Sequence[Run], cell: Cell, contender: str) -> Spread | None:
    """Return the ratio of rates: to the reference's in this cell, or to the same server's in the cell's baseline."""
    other = (cell.baseline, contender) if cell.baseline else (cell.name, REFERENCE)
    return ratio(runs, (cell.name, contender), other)


def pair_table(runs: Sequence[Run]) -> str:
    """Return the ratios of this checkout's server to the other's."""
    rows = []
    for cell in _cells(runs):
        this, other = (cell.name, STENTOR), (cell.name, OTHER)
        ratios = ratio(runs, this, other), ratio(runs, this, other, lambda run: run.cpu_us)
        rows.append([cell.title, *(_bold(found) if found else NOTHING for found in ratios)])
    return _table(["this checkout relative to the other", "throughput", "processor time per message"], rows)


def ratio_table(runs: Sequence[Run], figure: Figure) -> str:
    """Return a figure of each server as ratio to the reference's."""
    names = [name for name in measured(runs) if name != REFERENCE]
    rows = (
        [cell.title, *(_median(ratio(runs, (cell.name, name), (cell.name, REFERENCE), figure)) for name in names)]
        for cell in _cells(runs)
    )
    return _table(["workload", *_titles(names)], rows)


def utilisation_table(runs: Sequence[Run]) -> str:
    """Return how busy each server's core was."""
    names, rows = measured(runs), []
    for cell in _cells(runs):
        busy = [spread(runs, cell.name, name, lambda run: run.server_utilisation) for name in names]
        rows.append([cell.title, *(f"{found.median:.0%}" if found else NOTHING for found in busy)])
    return _table(["workload", *_titles(names)], rows)


def target_table(targets: Iterable[Target]) -> str:
    """Return targets, their figures, and whether these meet them."""
    rows = ([one.what, one.wanted, one.measured, MARKS[one.met]] for one in targets)
    return _table(["what", "target", "measured", ""], rows)


def memory_table(result: Result) -> str:
    """Return the memory of each server per idle connection."""
    rows = []
    for name in TITLES:
        found = result.memory_spread(name)
        if found or any(one.contender == name for one in result.memory):
            text = f"{found.median / KIB:.2f} KiB" if found else f"does not hold {CONNECTIONS:,}"
            rows.append([TITLES[name], text])
    return _table(["server", "memory per idle connection"], rows)


def machine_table(result: Result) -> str:
    """Return the machine, the versions, and the peers that were skipped."""
    names = {"virtual": "virtual machine"}
    rows = [[names.get(name, name), str(value)] for name, value in {**result.machine, **result.tools}.items()]
    skipped = [[f"skipped: {TITLES[name]}", reason] for name, reason in result.skipped.items()]
    return _table(["", ""], [*rows, *skipped, ["disturbance", disturbance(result.runs)]])


def disturbance(runs: Sequence[Run]) -> str:
    """Return how long the reference had to wait for its core, which shows how far to trust the figures."""
    found = spread_of([run.server_waiting for run in runs if run.contender == REFERENCE and not run.failure])
    found = found or Spread(0, 0, 0)
    return f"{TITLES[REFERENCE]} waited for its core {found.median:.1%} of the time, at worst {found.high:.1%}"


def failures(runs: Sequence[Run]) -> str:
    """Return a line for each run that failed."""
    return "".join(f"{run.cell}, {run.contender}, round {run.round}: {run.failure}\n" for run in runs if run.failure)


def measured(runs: Sequence[Run]) -> list[str]:
    """Return the contenders that were measured, in the order of the tables."""
    names = {run.contender for run in runs}
    return [name for name in TITLES if name in names]


def _cells(runs: Sequence[Run]) -> list[Cell]:
    names = {run.cell for run in runs}
    return [cell for cell in MAIN if cell.name in names]


def _titles(names: Iterable[str]) -> list[str]:
    return [TITLES[name] for name in names]


def _median(found: Spread | None) -> str:
    return f"{found.median:.2f}" if found else NOTHING


def _bold(found: Spread) -> str:
    middle, _, rest = found.text().partition(" ")
    return f"**{middle}** {rest}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))
