"""Tables of the results, in Markdown."""

from collections.abc import Sequence

from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.peer import REFERENCE
from bench.ratio import Spread, ratio
from bench.workload import MAIN, Cell

PASS, SHORT = "✓", "✗"


def main_table(runs: Sequence[Run]) -> str:
    """Return the ratios of throughput to the reference, with the targets."""
    measured = {run.contender for run in runs}
    others = [name for name in TITLES if name in measured and name not in {STENTOR, REFERENCE}]
    head = ["workload", "target", *([TITLES[STENTOR], ""] if STENTOR in measured else []), *(TITLES[name] for name in others)]
    rows = [head, ["---"] * len(head)]
    for cell in MAIN:
        if not any(run.cell == cell.name for run in runs):
            continue
        row = [cell.title, f"≥ {cell.target:.2f}"]
        if STENTOR in measured:
            row += [_spread(main_ratio(runs, cell, STENTOR)), mark(main_ratio(runs, cell, STENTOR), cell.target)]
        rows.append([*row, *(_median(main_ratio(runs, cell, name)) for name in others)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def main_ratio(runs: Sequence[Run], cell: Cell, contender: str) -> Spread | None:
    """Return the ratio of rates: to the reference in the same cell, or to the same server's in the cell `against`."""
    other = (cell.against, contender) if cell.against else (cell.name, REFERENCE)
    return ratio(runs, (cell.name, contender), other)


def mark(value: Spread | None, target: float | None) -> str:
    """Return whether the median reaches the target."""
    return "" if value is None or target is None else PASS if round(value.median, 2) >= target else SHORT


def _spread(value: Spread | None) -> str:
    if value is None:
        return "–"
    spread = f" ({value.least:.2f}–{value.most:.2f})" if value.least < value.most else ""
    return f"**{value.median:.2f}**{spread}"


def _median(value: Spread | None) -> str:
    return "–" if value is None else f"{value.median:.2f}"
