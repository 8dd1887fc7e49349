"""The targets beside those of the main table, and the figures that meet or miss them."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER
from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.memory import MANY_WORKERS
from bench.ratio import Spread, ratio, spread
from bench.result import Result
from bench.rounds import QUIET, SILENT, WATCHED
from bench.workload import FLOOD, KIB, MAIN, OBSERVED, SCRAPED, WORKERS

RIVALS = ("go", "node")
MEMORY_BYTES = 2.5 * KIB  # per idle connection
MANY = 100_000
OBSERVED_RATE = 0.97  # of the throughput without metrics and logs
SCRAPED_P99 = 1.05  # of p99 without scrapes
FLOODED_P99 = 1.5  # of p99 without the flood
LATE_SHARE = 0.001
SHARED_CPU = 1.05  # of the processor time with one worker


@dataclass(frozen=True)
class Target:
    """One target; `met` is None if it was not measured."""

    what: str
    wanted: str
    measured: str = "not measured"
    met: bool | None = None


def targets(result: Result) -> list[Target]:
    """Return the server's targets."""
    runs = result.runs
    one_worker, two_workers = ((cell.name, STENTOR) for cell in WORKERS)
    calm, flooded = ((cell.name, STENTOR) for cell in FLOOD)
    found = [*(_ahead(runs, rival) for rival in RIVALS), _memory(result), _many(result)]
    what = "processor time per message of 2 workers on 2 cores, relative to 1 on 1"
    found.append(_at_most(what, SHARED_CPU, ratio(runs, two_workers, one_worker, lambda run: run.cpu_us)))
    for logs, cell, name in (
        ("with metrics and logs", OBSERVED[0], STENTOR),
        ("with metrics and logs", OBSERVED[1], STENTOR),
        ("with metrics, without logs", OBSERVED[1], QUIET),
    ):
        what = f"throughput {logs}, relative to the server without either: {cell.title}"
        found.append(_at_least(what, OBSERVED_RATE, ratio(runs, (cell.name, name), (cell.name, SILENT))))
    what = "p99 beside 1,000 clients that write and never read, relative to p99 without them"
    found.append(_at_most(what, FLOODED_P99, ratio(runs, flooded, calm, lambda run: run.p99_us)))
    scraped = ratio(runs, (SCRAPED.name, WATCHED), (SCRAPED.name, STENTOR), lambda run: run.p99_us)
    return [*found, _at_most("p99 with a scrape per second, relative to p99 without", SCRAPED_P99, scraped)]


def client_targets(runs: Sequence[Run]) -> list[Target]:
    """Return the targets of the client as a load generator."""
    found = []
    for cell in CLOSED:
        what = f"`load --closed`: exchanges relative to the generator in C, {cell.title}"
        found.append(_at_least(what, cell.target, ratio(runs, (cell.name, CLIENT), (cell.name, IN_C))))
    late, machine = (spread(runs, HALF.name, name, lambda run: run.late_share) for name in (CLIENT, PACER))
    target = Target(f"`load --rate` at half its capacity: sends over 1 ms late, {HALF.title}", f"≤ {LATE_SHARE:.1%}")
    if late:
        wake_ups = f"; wake-ups of an idle program in C: {machine.text('.2%')}" if machine else ""
        target = Target(target.what, target.wanted, late.text(".2%") + wake_ups, late.median <= LATE_SHARE)
    return [*found, target]


def _ahead(runs: Sequence[Run], rival: str) -> Target:
    spreads = {cell.title: ratio(runs, (cell.name, STENTOR), (cell.name, rival)) for cell in MAIN}
    ratios = {title: found.median for title, found in spreads.items() if found}
    what, wanted = f"throughput relative to {TITLES[rival]}", "> 1 in every workload"
    if not ratios:
        return Target(what, wanted)
    slower = [f"{title}: {value:.2f}" for title, value in ratios.items() if value <= 1]
    measured = f"not faster at {'; '.join(slower)}" if slower else f"at least {min(ratios.values()):.2f}"
    return Target(what, wanted, measured, not slower)


def _memory(result: Result) -> Target:
    found = result.memory_spread(STENTOR)
    what, wanted = "memory per idle connection", f"≤ {MEMORY_BYTES / KIB:g} KiB"
    if found is None:
        return Target(what, wanted)
    return Target(what, wanted, f"{found.median / KIB:.2f} KiB", found.median <= MEMORY_BYTES)


def _many(result: Result) -> Target:
    many = result.many
    held = f"{many.connections:,}, with {many.after_bytes / MANY_WORKERS / KIB**2:.0f} MiB per worker"
    measured = f"failed: {many.failure}" if many.failure else held
    return Target(f"connections held by {MANY_WORKERS} workers", f"≥ {MANY:,}", measured, many.connections >= MANY)


def _at_least(what: str, bound: float, found: Spread | None) -> Target:
    target = Target(what, f"≥ {bound:.2f}")
    return Target(what, target.wanted, found.text(), round(found.median, 2) >= bound) if found else target


def _at_most(what: str, bound: float, found: Spread | None) -> Target:
    target = Target(what, f"≤ {bound:.2f}")
    return Target(what, target.wanted, found.text(), round(found.median, 2) <= bound) if found else target
