"""Stentor's client as a load generator, beside the generator in C."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bench.contender import Contender
from bench.measurement import MICRO, Bench, Run
from bench.peer import build
from bench.process import pinned
from bench.workload import GENERATOR_CORE, KIB, SERVER_CORE, Cell, Timing

CLIENT, IN_C, PACER = "stentor-client", "load.c", "pacer.c"
CLOSED = (
    Cell("client-64B", "64 B, 50 connections", target=0.5),
    Cell("client-64KiB", "64 KiB, 10 connections", size_bytes=64 * KIB, connections=10, target=0.9),
)
HALF = Cell("client-half", "64 B, 50 connections")
TIMING = Timing(rounds=5, seconds=2.0, warmup_seconds=0.5)
COMMAND = str(Path(sys.executable).with_name(CLIENT))
RUN_SECONDS = 60  # more than any run takes


def measure(bench: Bench, reference: Contender) -> Iterator[Run]:
    """Put the reference server under the load of each generator by turns, then of the client at half its capacity.

    A program in C that only wakes at the same rate shows how late this machine itself is.
    """
    pacer = bench.folder / "pacer"
    build(Path(__file__).with_name(PACER), pacer)
    for round_ in range(1, TIMING.rounds + 1):
        capacity = 0.0
        for cell in CLOSED:
            for name in (CLIENT, IN_C) if round_ % 2 else (IN_C, CLIENT):
                run = Run(cell.name, name, round_)
                with reference.running((SERVER_CORE,), bench.folder) as server:
                    if name == IN_C:
                        run = _in_c(bench, server.port, cell, run)
                    else:
                        run = _client(server.port, cell, run, "--closed")
                capacity = run.rate if (cell, name) == (CLOSED[0], CLIENT) else capacity
                yield run
        rate = f"{capacity / 2:.0f}"
        with reference.running((SERVER_CORE,), bench.folder) as server:
            yield _client(server.port, HALF, Run(HALF.name, CLIENT, round_), "--rate", rate)
        yield _pace([str(pacer), rate, str(TIMING.seconds)], Run(HALF.name, PACER, round_))


def _in_c(bench: Bench, port: int, cell: Cell, empty: Run) -> Run:
    times = (TIMING.seconds, TIMING.warmup_seconds)
    with bench.generator.running(port, cell.generator_arguments(), *times, (GENERATOR_CORE,)) as load:
        return replace(empty, **load.wait_for("exchanges"))


def _pace(command: Sequence[str], empty: Run) -> Run:
    with pinned((GENERATOR_CORE,)):
        done = subprocess.run(command, capture_output=True, check=True, timeout=RUN_SECONDS)
    return replace(empty, **json.loads(done.stdout))


def _client(port: int, cell: Cell, empty: Run, *shape: str) -> Run:
    """Run `stentor-client load`; if it fails, for instance because of a wrong reply, so has the run."""
    command = [COMMAND, "load", "--target", f"127.0.0.1:{port}", *shape, "--json", "-"]
    command += ["--connections", str(cell.connections), "--size", str(cell.size_bytes)]
    command += ["--duration", f"{TIMING.seconds}s", "--warmup", f"{TIMING.warmup_seconds}s"]
    with pinned((GENERATOR_CORE,)):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    if done.returncode:
        message = done.stderr.strip().splitlines()[-1:]
        return replace(empty, failure=message[0] if message else f"exit code {done.returncode}")
    figures = json.loads(done.stdout)
    return replace(
        empty,
        exchanges=figures["exchanges"],
        seconds=figures["measured_seconds"],
        p50_us=figures["service_time_seconds"]["p50"] * MICRO,
        late=figures["late_sends"],
    )
