"""The benchmarks: Stentor's server beside peers that do the same job.

`full` measures everything for half an hour and writes the results and the documents; limited by --peers or --cells it
prints the main table and writes nothing. `quick` prints a rough main table within three minutes. `client` measures anew
how the client does as a load generator, `observation` what metrics, logs and scrapes cost; either puts that in place
of the last. `report` writes the documents anew from the last results.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bench import client, document, machine, report
from bench.contender import TITLES, Contender, contenders
from bench.load import Generator
from bench.measurement import Laboratory, Run
from bench.memory import Scales
from bench.peer import REFERENCE, UnavailableError
from bench.process import raise_descriptor_limit
from bench.result import Result
from bench.rounds import Series, all_series, main_series, observation_series
from bench.workload import FULL, MAIN, QUICK, Cell

MEMORY_ROUNDS = 3
LEAST_DESCRIPTORS = 20000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print or write what came of it."""
    options = _parser().parse_args(arguments)
    if options.what == "report":
        document.write(Result.load())
        return 0
    signal.signal(signal.SIGTERM, _stop)
    if raise_descriptor_limit() < LEAST_DESCRIPTORS:
        print(f"ulimit -Hn must be {LEAST_DESCRIPTORS} or more", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="stentor-bench-") as folder:
        try:
            return _measure(options, Path(folder))
        except UnavailableError as error:
            print(f"the load generator cannot be built: {error}", file=sys.stderr)
            return 1


def _measure(options: argparse.Namespace, folder: Path) -> int:
    generator = Generator(folder)
    laboratory = Laboratory(generator, folder)
    if options.what == "observation":
        runs = [run for series in observation_series(folder) for run in series.measure(laboratory, _say)]
        print(report.target_table(_renew(runs)) + report.failures(runs))
        return 0
    ready, skipped = contenders(folder, options.peers and {*options.peers, REFERENCE})
    for name, reason in skipped.items():
        _say(f"skipped {name}: {reason}")
    if options.what == "quick" or options.peers or options.cells:
        timing = QUICK if options.what == "quick" else FULL
        runs = main_series(ready, _cells(options.cells), timing).measure(laboratory, _say)
        print(report.main_table(runs) + report.failures(runs) + report.disturbance(runs))
        return 0
    reference = next(one for one in ready if one.name == REFERENCE)
    client_runs = client.measure(reference, generator, folder, _say)
    if options.what == "client":
        _renew(client_runs)
        print(report.client_table(client_runs) + report.failures(client_runs))
        return 0
    result = _full(laboratory, Scales(generator, folder), all_series(ready, folder), ready, skipped)
    result.runs.extend(client_runs)
    result.save()
    document.write(result)
    print(report.main_table(result.runs) + "\n" + report.target_table(result) + report.failures(result.runs))
    return 0


def _renew(runs: Sequence[Run]) -> Result:
    """Put runs in place of the last of their cells, in the results and the documents."""
    result = Result.load().renewed(runs)
    result.save()
    document.write(result)
    return result


def _full(
    laboratory: Laboratory,
    scales: Scales,
    all_: Sequence[Series],
    ready: Sequence[Contender],
    skipped: dict[str, str],
) -> Result:
    runs = [run for series in all_ for run in series.measure(laboratory, _say)]
    memory = []
    for round_ in range(1, MEMORY_ROUNDS + 1):
        for contender in ready:
            memory.append(scales.weigh(contender, round_))
            _say(f"  {round_}/{MEMORY_ROUNDS}  {contender.name:22} {memory[-1].each_bytes:8.0f} bytes a connection")
    many = scales.weigh_many()
    _say(f"  {many.connections} connections held {many.failure}")
    return Result(machine.machine(), machine.tools(), skipped, runs, memory, many)


def _cells(names: Collection[str]) -> list[Cell]:
    """Return these cells of the main table and those they are compared with; all without names."""
    needed = {*names, *(cell.against for cell in MAIN if cell.name in names)}
    return [cell for cell in MAIN if not names or cell.name in needed]


def _stop(*_: object) -> None:
    """End by an exception, so that what was started is ended as well."""
    _say("ended by SIGTERM")
    sys.exit(143)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=form)
    parser.add_argument("what", choices=["full", "quick", "client", "observation", "report"], nargs="?", default="full")
    cells = [cell.name for cell in MAIN]
    for flag, known in (("--peers", list(TITLES)), ("--cells", cells)):
        parser.add_argument(flag, type=_some_of(known), default=[], help=f"only these, of {','.join(known)}")
    return parser


def _some_of(known: Collection[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if not set(chosen) <= set(known):
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(set(chosen) - set(known)))}")
        return chosen

    return names


if __name__ == "__main__":
    sys.exit(main())
