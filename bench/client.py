"""Stentor's client as a load generator, beside the one in C."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.contender import Contender
from bench.load import Generator
from bench.measurement import Run
from bench.peer import GCC, compile_
from bench.process import pinned
from bench.workload import GENERATOR_CORE, KIB, SERVER_CORE, Cell, Timing

CLIENT, IN_C, PACER = "stentor-client", "load.c", "pacer.c"
PACER_SOURCE = Path(__file__).with_name(PACER)
CLOSED = (
    Cell("client-64B", "64 B, 50 connections", target=0.5),
    Cell("client-64KiB", "64 KiB, 10 connections", size_bytes=64 * KIB, connections=10, target=0.9),
)
HALF = Cell("client-half", "64 B, 50 connections, at half of its capacity")
TIMING = Timing(rounds=5, seconds=2.0, warmup_seconds=0.5)
COMMAND = str(Path(sys.executable).with_name(CLIENT))
MOST_SECONDS = 60

Say = Callable[[str], None]


def measure(reference: Contender, generator: Generator, folder: Path, say: Say) -> list[Run]:
    """Put the reference server under the load of each in turn; then under ours at half of what it can send.

    What only wakes at that rate, and does nothing, shows beside it how late this machine itself is.
    """
    say("the client:")
    pacer = str(folder / "pacer")
    compile_("gcc", *(part.format(source=PACER_SOURCE, binary=pacer) for part in GCC))
    runs: list[Run] = []
    for round_ in range(1, TIMING.rounds + 1):
        for cell in CLOSED:
            tools = (CLIENT, IN_C) if round_ % 2 else (IN_C, CLIENT)
            for tool in tools:
                with reference.running((SERVER_CORE,), folder) as server:
                    blank = Run(cell.name, tool, round_)
                    if tool == IN_C:
                        runs.append(_in_c(generator, server.port, cell, blank))
                    else:
                        runs.append(_ours(server.port, cell, ("--closed",), blank))
                say(_line(runs[-1]))
        capacity = next(run.rate for run in reversed(runs) if (run.cell, run.contender) == (CLOSED[0].name, CLIENT))
        with reference.running((SERVER_CORE,), folder) as server:
            runs.append(_ours(server.port, HALF, ("--rate", f"{capacity / 2:.0f}"), Run(HALF.name, CLIENT, round_)))
        runs.append(_pace(pacer, capacity / 2, Run(HALF.name, PACER, round_)))
        say(_line(runs[-2]))
        say(_line(runs[-1]))
    return runs


def late_share(run: Run) -> float:
    """Return the part of the sends that began over 1 ms late."""
    return run.late / run.exchanges if run.exchanges else 1.0


def _in_c(generator: Generator, port: int, cell: Cell, blank: Run) -> Run:
    arguments = cell.generator_arguments()
    with generator.running(port, arguments, TIMING.seconds, TIMING.warmup_seconds, (GENERATOR_CORE,)) as load:
        found = load.wait_for("exchanges")
    return replace(blank, exchanges=found["exchanges"], seconds=found["seconds"], p50_us=found["p50_us"])


def _pace(pacer: str, rate: float, blank: Run) -> Run:
    with pinned((GENERATOR_CORE,)):
        done = subprocess.run(
            [pacer, f"{rate:.0f}", str(TIMING.seconds)], capture_output=True, check=True, timeout=MOST_SECONDS
        )
    return replace(blank, **json.loads(done.stdout))


def _ours(port: int, cell: Cell, shape: Sequence[str], blank: Run) -> Run:
    """Run `stentor-client load`; every failure of it, a wrong reply included, is one of the run."""
    command = [COMMAND, "load", "--target", f"127.0.0.1:{port}", *shape, "--json", "-"]
    command += ["--connections", str(cell.connections), "--size", str(cell.size_bytes)]
    command += ["--duration", f"{TIMING.seconds}s", "--warmup", f"{TIMING.warmup_seconds}s"]
    with pinned((GENERATOR_CORE,)):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)
    if done.returncode:
        return replace(blank, failure=(done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1])
    found = json.loads(done.stdout)
    return replace(
        blank,
        exchanges=found["exchanges"],
        seconds=found["measured_seconds"],
        p50_us=found["service_time_seconds"]["p50"] * 1e6,
        late=found["late_sends"],
    )


def _line(run: Run) -> str:
    came = f"{run.rate:11.1f}/s  p50 {run.p50_us:8.1f} µs  {run.late} late"
    return f"  {run.round}/{TIMING.rounds}  {run.cell:18} {run.contender:22} {run.failure or came}"
