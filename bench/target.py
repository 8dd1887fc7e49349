"""The targets beside those of the main table, and what came of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER, late_share
from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.memory import MANY_WORKERS
from bench.ratio import Spread, ratio, spread
from bench.result import Result
from bench.rounds import QUIET, SILENT, WATCHED
from bench.workload import FLOOD, MAIN, OBSERVED, SCRAPED, WORKERS, Cell

RIVALS = ("go", "node")
MOST_BYTES_PER_CONNECTION = 2.5 * 1024
MANY = 100_000
LEAST_OBSERVED = 0.97  # of the throughput without metrics and log lines
MOST_SCRAPED = 1.05  # of p99 without scrapes
MOST_FLOODED = 1.5  # of p99 without the flood
MOST_LATE = 0.001
MOST_SHARED = 1.05  # of the processor time with one worker
KIB = 1024


@dataclass(frozen=True)
class Target:
    """One target; `met` is none where it was not measured."""

    what: str
    wanted: str
    measured: str
    met: bool | None


def targets(result: Result) -> list[Target]:
    """Return the targets and what was measured for each."""
    runs = result.runs
    first, second = ((cell.name, STENTOR) for cell in WORKERS)
    plain, silent = ((OBSERVED[0].name, name) for name in (STENTOR, SILENT))
    churn, quiet_churn, silent_churn = ((OBSERVED[1].name, name) for name in (STENTOR, QUIET, SILENT))
    unwatched, watched = ((SCRAPED.name, name) for name in (STENTOR, WATCHED))
    calm, flooded = ((cell.name, STENTOR) for cell in FLOOD)
    shared = ratio(runs, second, first, lambda run: run.cpu_us)
    return [
        *(_ahead(runs, rival) for rival in RIVALS),
        _memory(result),
        _many(result),
        _most("processor time per message, 2 workers on 2 cores to 1 on 1", MOST_SHARED, shared),
        _least(
            "throughput with metrics and log lines, to without both, 64 B", LEAST_OBSERVED, ratio(runs, plain, silent)
        ),
        _least("the same, connect, one exchange, close", LEAST_OBSERVED, ratio(runs, churn, silent_churn)),
        _least(
            "with metrics and without log lines, to without both; connect, one exchange, close",
            LEAST_OBSERVED,
            ratio(runs, quiet_churn, silent_churn),
        ),
        _most(
            "p99 beside 1,000 that write and never read, to without",
            MOST_FLOODED,
            ratio(runs, flooded, calm, lambda run: run.p99_us),
        ),
        _most(
            "p99 with a scrape a second to without",
            MOST_SCRAPED,
            ratio(runs, watched, unwatched, lambda run: run.p99_us),
        ),
    ]


def client_targets(runs: Sequence[Run]) -> list[Target]:
    """Return the targets of the client as a load generator."""
    return [*(_client(runs, cell) for cell in CLOSED), _late(runs)]


def _client(runs: Sequence[Run], cell: Cell) -> Target:
    what = f"`load --closed`: exchanges to those of the generator in C, {cell.title}"
    return _least(what, cell.target, ratio(runs, (cell.name, CLIENT), (cell.name, IN_C)))


def _late(runs: Sequence[Run]) -> Target:
    what = f"`load --rate` at half of its capacity: sends over 1 ms late, {HALF.title}"
    found, machine = (spread(runs, HALF.name, contender, late_share) for contender in (CLIENT, PACER))
    if found is None:
        return Target(what, f"≤ {MOST_LATE:.1%}", "not measured", None)
    measured = _per_cent(found) + (f"; of wake-ups in C that do nothing {_per_cent(machine)}" if machine else "")
    return Target(what, f"≤ {MOST_LATE:.1%}", measured, found.median <= MOST_LATE)


def _per_cent(found: Spread) -> str:
    return f"{found.median:.2%} ({found.least:.2%}–{found.most:.2%})"


def _ahead(runs: Sequence[Run], rival: str) -> Target:
    spreads = {cell.title: ratio(runs, (cell.name, STENTOR), (cell.name, rival)) for cell in MAIN}
    measured = {title: spread.median for title, spread in spreads.items() if spread}
    behind = [f"{title}: {value:.2f}" for title, value in measured.items() if value <= 1]
    least = f"least ratio {min(measured.values()):.2f}" if measured else "not measured"
    return Target(
        f"throughput to {TITLES[rival]}'s",
        "> 1 in every workload",
        f"behind in {'; '.join(behind)}" if behind else least,
        not behind if measured else None,
    )


def _memory(result: Result) -> Target:
    spread = memory_spread(result, STENTOR)
    measured = f"{spread.median / KIB:.2f} KiB" if spread else "not measured"
    met = spread.median <= MOST_BYTES_PER_CONNECTION if spread else None
    return Target("memory per idle connection", f"≤ {MOST_BYTES_PER_CONNECTION / KIB:g} KiB", measured, met)


def memory_spread(result: Result, contender: str) -> Spread | None:
    """Return the bytes that an idle connection takes."""
    return Spread.of([one.each_bytes for one in result.memory if one.contender == contender and not one.failure])


def _many(result: Result) -> Target:
    many = result.many
    each = f"{many.connections:,} held, {many.after_bytes / MANY_WORKERS / KIB**2:.0f} MiB a worker"
    measured = f"failed: {many.failure}" if many.failure else each
    return Target(f"connections over {MANY_WORKERS} workers", f"≥ {MANY:,}", measured, many.connections >= MANY)


def _least(what: str, least: float, spread: Spread | None) -> Target:
    return _bounded(what, f"≥ {least:.2f}", spread, lambda value: value >= least)


def _most(what: str, most: float, spread: Spread | None) -> Target:
    return _bounded(what, f"≤ {most:.2f}", spread, lambda value: value <= most)


def _bounded(what: str, wanted: str, spread: Spread | None, meets: Callable[[float], bool]) -> Target:
    if spread is None:
        return Target(what, wanted, "not measured", None)
    return Target(what, wanted, str(spread), meets(round(spread.median, 2)))
