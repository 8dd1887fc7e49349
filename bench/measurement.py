"""One measurement: a server, a load, and what both came to."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeVar

from bench.contender import Contender
from bench.load import Generator, LoadFailedError
from bench.scrape import scraped
from bench.server import Server, ServerFailedError
from bench.workload import Cell, Timing

T = TypeVar("T")
MICRO = 1e6


@dataclass(frozen=True)
class Run:
    """What one run of a cell came to; `failure` says why there is nothing."""

    cell: str
    contender: str
    round: int
    exchanges: int = 0
    seconds: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    server_cpu_seconds: float = 0.0
    server_utilisation: float = 0.0  # of the cores it may use
    server_waiting: float = 0.0  # the share of the time in which others had the cores it could have used
    late: int = 0  # sends that Stentor's client, as the generator, began over 1 ms after they were due
    failure: str = ""

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.exchanges / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's processor time for each message."""
        return self.server_cpu_seconds / self.exchanges * MICRO if self.exchanges else 0.0


Group = tuple[tuple[Cell, Contender], ...]  # measured right after each other, and compared


def rotated(group: Sequence[T], by: int) -> tuple[T, ...]:
    """Return the same, beginning `by` places later."""
    by %= len(group)
    return (*group[by:], *group[:by])


class Laboratory:
    """Where runs are made."""

    def __init__(self, generator: Generator, folder: Path) -> None:
        """Keep the logs of servers in `folder` while they run."""
        self._generator = generator
        self._folder = folder

    def run(self, cell: Cell, contender: Contender, timing: Timing, round_: int) -> Run:
        """Start the server, warm it, measure it, end it."""
        empty = Run(cell.name, contender.name, round_)
        try:
            with contender.running(cell.server_cores, self._folder) as server:
                self._first(server, cell, timing)
                return self._measure(server, cell, contender, timing, empty)
        except (ServerFailedError, LoadFailedError, OSError) as error:  # the last: it is gone
            return replace(empty, failure=str(error))

    def compare(self, group: Group, timing: Timing, round_: int) -> list[Run]:
        """Start the servers of all, warm them, and measure them by turns, slice by slice; end them.

        They share the core, and wait while one of them is measured. Where one fails all have.
        """
        empty = [Run(cell.name, contender.name, round_) for cell, contender in group]
        slices: list[list[Run]] = [[] for _ in group]
        try:
            with ExitStack() as stack:
                servers = []
                for cell, contender in group:
                    servers.append(stack.enter_context(contender.running(cell.server_cores, self._folder)))
                    self._first(servers[-1], cell, timing)
                for number in range(timing.slices):
                    for each in rotated(range(len(group)), number):
                        slices[each].append(self._measure(servers[each], *group[each], timing, empty[each]))
        except (ServerFailedError, LoadFailedError, OSError) as error:
            return [replace(run, failure=str(error)) for run in empty]
        return [_whole(runs) for runs in slices]

    def _first(self, server: Server, cell: Cell, timing: Timing) -> None:
        arguments = cell.generator_arguments(idle=False)
        with self._generator.running(server.port, arguments, timing.first_seconds, 0, cell.generator_cores[:1]) as load:
            load.wait_for("exchanges")

    def _measure(self, server: Server, cell: Cell, contender: Contender, timing: Timing, empty: Run) -> Run:
        arguments = cell.generator_arguments()
        with ExitStack() as stack:
            if contender.scraped:
                stack.enter_context(scraped(server))
            loads = [
                stack.enter_context(
                    self._generator.running(server.port, arguments, timing.seconds, timing.warmup_seconds, (core,))
                )
                for core in cell.generator_cores
            ]
            for load in loads:
                load.wait_for("warm")
            began, cpu_began, waited_began = time.perf_counter(), server.cpu_seconds(), server.waited_seconds()
            results = [load.wait_for("exchanges") for load in loads]
            took, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu_began
            waited = server.waited_seconds() - waited_began
        return replace(
            empty,
            exchanges=sum(result["exchanges"] for result in results),
            seconds=max(result["seconds"] for result in results),
            p50_us=max(result["p50_us"] for result in results),
            p99_us=max(result["p99_us"] for result in results),
            p999_us=max(result["p999_us"] for result in results),
            server_cpu_seconds=cpu,
            server_utilisation=cpu / took / len(cell.server_cores),
            server_waiting=waited / took / len(server.working),
        )


def _whole(slices: Sequence[Run]) -> Run:
    """Return what slices of one run came to together; what is no sum is the median of theirs."""
    sums = {name: sum(getattr(run, name) for run in slices) for name in ("exchanges", "seconds", "server_cpu_seconds")}
    others = ("p50_us", "p99_us", "p999_us", "server_utilisation", "server_waiting")
    return replace(slices[0], **sums, **{name: median(getattr(run, name) for run in slices) for name in others})
