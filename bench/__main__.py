"""Measure Stentor's server beside peers that do the same job.

full         measure everything in half an hour, save the results, and write
             docs/performance.md with its charts and the table in README.md
quick        measure the main table roughly, in three minutes, and print it
client       measure the client as a load generator again
observation  measure the cost of metrics, logs and scrapes again
report       write the documents from the saved results, without measuring

`client` and `observation` replace their part of the saved results and write
the documents. With --peers or --cells, `full` prints the main table only.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

from bench import client, document, machine, memory, report
from bench.contender import TITLES, contenders
from bench.load import Generator
from bench.measurement import Bench, Run
from bench.peer import REFERENCE, UnavailableError
from bench.process import raise_descriptor_limit
from bench.result import Result
from bench.rounds import Series, all_series, main_series, observation_series, pair_series
from bench.target import client_targets, targets
from bench.workload import FULL, MAIN, QUICK, Cell

MEMORY_ROUNDS = 3
DESCRIPTORS = 20000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print or save the results."""
    options = _options(arguments)
    if options.what == "report":
        document.write(Result.load())
        return 0
    if options.what != "quick" and not machine.interpreter():
        print("this Python is not optimised, so no user would see its figures: run `make bench`", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception stops every program that was started
    if raise_descriptor_limit() < DESCRIPTORS:
        print(f"the limit of open files is too low: set `ulimit -Hn` to {DESCRIPTORS} or more", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="stentor-bench-") as folder:
        try:
            return _measure(options, Path(folder))
        except UnavailableError as error:
            print(f"cannot build the load generator: {error}", file=sys.stderr)
            return 1


def _measure(options: argparse.Namespace, folder: Path) -> int:
    bench, cells = Bench(Generator(folder), folder), _cells(options.cells)
    if options.what == "observation":
        runs = _measured(observation_series(folder), bench)
        table = report.target_table(targets(_replace(runs)))
    elif options.against:
        runs = _measured([pair_series(options.against, cells)], bench)
        table = report.pair_table(runs)
    else:
        runs, table = _with_peers(options, bench, cells)
    print(table + report.failures(runs))
    return 0


def _with_peers(options: argparse.Namespace, bench: Bench, cells: Sequence[Cell]) -> tuple[list[Run], str]:
    """Return the runs and a table of them."""
    ready, skipped = contenders(bench.folder, options.peers and {*options.peers, REFERENCE})
    for name, reason in skipped.items():
        _say(f"skipped {name}: {reason}")
    if options.what == "quick" or options.peers or options.cells:
        runs = _measured([main_series(ready, cells, QUICK if options.what == "quick" else FULL)], bench)
        return runs, f"{report.main_table(runs)}{report.disturbance(runs)}\n"
    reference = next(one for one in ready if one.name == REFERENCE)
    runs = _reported("client", client.measure(bench, reference))
    if options.what == "client":
        _replace(runs)
        return runs, report.target_table(client_targets(runs))
    runs += _measured(all_series(ready, bench.folder), bench)
    memories = []
    for round_, contender in product(range(1, MEMORY_ROUNDS + 1), ready):
        memories.append(memory.measure(bench, contender, round_))
        found = memories[-1].failure or f"{memories[-1].each_bytes:.0f} bytes per connection"
        _say(f"  round {round_}  memory             {contender.name:22} {found}")
    result = Result(machine.machine(), machine.tools(), skipped, runs, memories, memory.measure_many(bench))
    result.save()
    document.write(result)
    return runs, f"{report.main_table(runs)}\n{report.target_table(targets(result))}"


def _replace(runs: Sequence[Run]) -> Result:
    """Replace the runs of these cells in the saved results, and write the documents."""
    result = Result.load().renewed(runs)
    result.save()
    document.write(result)
    return result


def _measured(all_: Iterable[Series], bench: Bench) -> list[Run]:
    return [run for series in all_ for run in _reported(series.title, series.runs(bench))]


def _reported(title: str, runs: Iterable[Run]) -> list[Run]:
    """Return the runs, and report each as soon as it ends."""
    _say(f"{title}:")
    found = []
    for run in runs:
        found.append(run)
        figures = f"{run.rate:11.1f}/s  p50 {run.p50_us:8.1f} µs  CPU {run.cpu_us:8.2f} µs  {run.late} late"
        outcome = f"failed: {run.failure}" if run.failure else figures
        _say(f"  round {run.round}  {run.cell:18} {run.contender:22} {outcome}")
    return found


def _cells(names: Collection[str]) -> list[Cell]:
    """Return these cells of the main table with their baselines, or all cells."""
    needed = {*names, *(cell.baseline for cell in MAIN if cell.name in names)}
    return [cell for cell in MAIN if not names or cell.name in needed]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=form)
    parser.add_argument("what", choices=["full", "quick", "client", "observation", "report"], nargs="?", default="full")
    for flag, known in (("--peers", list(TITLES)), ("--cells", [cell.name for cell in MAIN])):
        text = f"measure only these, separated by commas: {', '.join(known)}"
        parser.add_argument(flag, type=partial(_some_of, known), default=[], help=text)
    text = "with quick: compare the server with that of another checkout, which has its own .venv-bench, by turns"
    parser.add_argument("--against", metavar="CHECKOUT", type=_program, help=text)
    options = parser.parse_args(arguments)
    if options.against and (options.what != "quick" or options.peers):
        parser.error("--against goes with quick, and not with --peers")
    return options


def _some_of(known: Collection[str], text: str) -> list[str]:
    names = text.split(",")
    if unknown := sorted(set(names) - set(known)):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}")
    return names


def _program(checkout: str) -> Path:
    program = Path(checkout).absolute() / ".venv-bench" / "bin" / "stentor-server"
    if not program.exists():
        raise argparse.ArgumentTypeError(
            f"{checkout} has no .venv-bench/bin/stentor-server; run `make bench-python` there"
        )
    return program


if __name__ == "__main__":
    sys.exit(main())
