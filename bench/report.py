"""Tables of the results, in Markdown."""

from collections.abc import Iterable, Sequence

from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.memory import CONNECTIONS
from bench.peer import REFERENCE
from bench.ratio import Figure, Spread, ratio, spread
from bench.result import Result
from bench.target import KIB, Target, client_targets, memory_spread, targets
from bench.workload import MAIN, Cell

PASS, SHORT = "✓", "✗"
NOTHING = "–"


def main_table(runs: Sequence[Run]) -> str:
    """Return the ratios of throughput, with the targets."""
    names = measured(runs)
    others = [name for name in names if name not in {STENTOR, REFERENCE}]
    head = ["workload", "target", *([TITLES[STENTOR], ""] if STENTOR in names else []), *_titles(others)]
    return _table(head, (_main_row(runs, cell, others, with_stentor=STENTOR in names) for cell in _cells(runs)))


def _main_row(runs: Sequence[Run], cell: Cell, others: Sequence[str], *, with_stentor: bool) -> list[str]:
    ours = main_ratio(runs, cell, STENTOR)
    row = [cell.title, f"≥ {cell.target:.2f}"]
    if with_stentor:
        row += (
            [NOTHING, ""] if ours is None else [f"**{ours.median:.2f}** {ours.range}", mark(ours.median, cell.target)]
        )
    return [*row, *(_median(main_ratio(runs, cell, name)) for name in others)]


def main_ratio(runs: Sequence[Run], cell: Cell, contender: str) -> Spread | None:
    """Return the ratio of rates: to the reference in the same cell, or to the same server's in the cell `against`."""
    other = (cell.against, contender) if cell.against else (cell.name, REFERENCE)
    return ratio(runs, (cell.name, contender), other)


def mark(value: float, target: float) -> str:
    """Return whether a value, as it is printed, reaches the target."""
    return PASS if round(value, 2) >= target else SHORT


def processor_table(runs: Sequence[Run]) -> str:
    """Return the processor time per message, as ratio to the reference's."""
    return _ratios(runs, lambda run: run.cpu_us)


def latency_table(runs: Sequence[Run]) -> str:
    """Return p99, as ratio to the reference's."""
    return _ratios(runs, lambda run: run.p99_us)


def utilisation_table(runs: Sequence[Run]) -> str:
    """Return how busy the server's core was."""

    def busy(cell: Cell, name: str) -> str:
        value = spread(runs, cell.name, name, lambda run: run.server_utilisation)
        return f"{value.median:.0%}" if value else NOTHING

    names = measured(runs)
    return _table(
        ["workload", *_titles(names)], ([cell.title, *(busy(cell, name) for name in names)] for cell in _cells(runs))
    )


def target_table(result: Result) -> str:
    """Return the other targets."""
    return _targets(targets(result))


def client_table(runs: Sequence[Run]) -> str:
    """Return how the client does as a load generator."""
    return _targets(client_targets(runs))


def memory_table(result: Result) -> str:
    """Return what an idle connection takes of each server's memory."""
    rows = []
    for name in TITLES:
        value = memory_spread(result, name)
        failures = {one.failure for one in result.memory if one.contender == name and one.failure}
        if value or failures:
            text = f"{value.median / KIB:.2f} KiB" if value else f"does not hold {CONNECTIONS:,}"
            rows.append([TITLES[name], text])
    return _table(["server", "memory per idle connection"], rows)


def machine_table(result: Result) -> str:
    """Return the machine, the tools, and who was skipped."""
    names = {"virtual": "virtual machine"}
    rows = [[names.get(name, name), str(value)] for name, value in {**result.machine, **result.tools}.items()]
    skipped = [[f"skipped: {TITLES[name]}", reason] for name, reason in result.skipped.items()]
    return _table(["", ""], [*rows, *skipped, ["disturbance", disturbance(result.runs)]])


def disturbance(runs: Sequence[Run]) -> str:
    """Return how much of the time the reference's core was not its own, so that a reader knows what to trust."""
    shares = [run.server_waiting for run in runs if run.contender == REFERENCE and not run.failure]
    value = Spread.of(shares) or Spread(0, 0, 0)
    return f"{TITLES[REFERENCE]} waited for its core {value.median:.1%} of the time, {value.most:.1%} at the worst"


def failures(runs: Sequence[Run]) -> str:
    """Return a line for each run that failed."""
    return "".join(f"{run.cell}, {run.contender}, round {run.round}: {run.failure}\n" for run in runs if run.failure)


def measured(runs: Sequence[Run]) -> list[str]:
    """Return who took part."""
    names = {run.contender for run in runs}
    return [name for name in TITLES if name in names]


def _targets(found: Iterable[Target]) -> str:
    marks = {True: PASS, False: SHORT, None: ""}
    rows = ([one.what, one.wanted, one.measured, marks[one.met]] for one in found)
    return _table(["what", "target", "measured", ""], rows)


def _ratios(runs: Sequence[Run], figure: Figure) -> str:
    names = [name for name in measured(runs) if name != REFERENCE]
    rows = (
        [cell.title, *(_median(ratio(runs, (cell.name, name), (cell.name, REFERENCE), figure)) for name in names)]
        for cell in _cells(runs)
    )
    return _table(["workload", *_titles(names)], rows)


def _cells(runs: Sequence[Run]) -> list[Cell]:
    names = {run.cell for run in runs}
    return [cell for cell in MAIN if cell.name in names]


def _titles(names: Iterable[str]) -> list[str]:
    return [TITLES[name] for name in names]


def _median(value: Spread | None) -> str:
    return NOTHING if value is None else f"{value.median:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))
