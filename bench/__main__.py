"""The command line of the benchmarks."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.contender import TITLES, contenders
from bench.load import Generator
from bench.measurement import Laboratory
from bench.peer import REFERENCE
from bench.process import raise_descriptor_limit
from bench.report import main_table
from bench.rounds import rounds
from bench.workload import FULL, MAIN, QUICK, Cell, Timing


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print or write what came of it."""
    options = _parser().parse_args(arguments)
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory(prefix="stentor-bench-") as folder:
        return _measure(options, Path(folder), QUICK if options.what == "quick" else FULL)


def _measure(options: argparse.Namespace, folder: Path, timing: Timing) -> int:
    laboratory = Laboratory(Generator(folder), folder)
    ready, skipped = contenders(folder, options.peers and {*options.peers, REFERENCE})
    for name, reason in skipped.items():
        _say(f"skipped {name}: {reason}")
    runs = rounds(laboratory, _cells(options.cells), ready, timing, _say)
    print(main_table(runs))
    return 0


def _cells(names: Sequence[str]) -> list[Cell]:
    """Return these cells of the main table and those they are compared with; all without names."""
    needed = {*names, *(cell.against for cell in MAIN if cell.name in names)}
    return [cell for cell in MAIN if not names or cell.name in needed]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", choices=["full", "quick", "report"], nargs="?", default="full")
    parser.add_argument("--peers", type=_names(TITLES), default=[], help=f"only these of {', '.join(TITLES)}")
    known = [cell.name for cell in MAIN]
    parser.add_argument("--cells", type=_names(known), default=[], help=f"only these of {', '.join(known)}")
    return parser


def _names(known):
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"unknown: {name}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
