"""One measurement: servers, a load on each, and the figures of both."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

from bench.contender import Contender
from bench.load import Generator, LoadFailedError
from bench.process import cpu_seconds, waited_seconds
from bench.scrape import scraped
from bench.server import Server, ServerFailedError
from bench.workload import Cell, Timing

T = TypeVar("T")
MICRO = 1e6


@dataclass(frozen=True)
class Run:
    """The figures of one run of a cell; `failure` says why there are none."""

    cell: str
    contender: str
    round: int
    exchanges: int = 0
    seconds: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0
    p999_us: float = 0.0
    server_cpu_seconds: float = 0.0
    server_utilisation: float = 0.0  # of its cores
    server_waiting: float = 0.0  # share of the time in which it was runnable, but others had its cores
    late: int = 0  # of Stentor's client as the generator: sends over 1 ms after they were due
    failure: str = ""

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.exchanges / self.seconds if self.seconds else 0.0

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's processor time per message."""
        return self.server_cpu_seconds / self.exchanges * MICRO if self.exchanges else 0.0

    @property
    def late_share(self) -> float:
        """Share of the sends that began over 1 ms late."""
        return self.late / self.exchanges if self.exchanges else 1.0


Group = tuple[tuple[Cell, Contender], ...]  # measured in direct succession and compared


@dataclass(frozen=True)
class Bench:
    """The load generator, and a folder for logs and programs."""

    generator: Generator
    folder: Path

    def measure(self, group: Group, timing: Timing, round_: int) -> list[Run]:
        """Start and warm the servers of a group, measure them by turns, slice by slice, and stop them.

        They share a core; all others are idle while one is measured. If one fails, the whole group has failed.
        """
        empty = [Run(cell.name, contender.name, round_) for cell, contender in group]
        slices: list[list[Run]] = [[] for _ in group]
        try:
            with ExitStack() as stack:
                servers = []
                for cell, contender in group:
                    servers.append(stack.enter_context(contender.running(cell.server_cores, self.folder)))
                    self.warm(servers[-1], cell, timing.first_seconds)
                for turn in range(timing.slices or 1):
                    for each in rotated(range(len(group)), turn):
                        slices[each].append(self._slice(servers[each], *group[each], timing, empty[each]))
        except (ServerFailedError, LoadFailedError, OSError) as error:  # OSError: a server is gone
            return [replace(run, failure=str(error)) for run in empty]
        return [_joined(runs) for runs in slices]

    def warm(self, server: Server, cell: Cell, seconds: float) -> None:
        """Put a fresh server under load for a while, without the cell's idle connections.

        Raises LoadFailedError.
        """
        arguments = cell.generator_arguments(idle=False)
        with self.generator.running(server.port, arguments, seconds, 0, cell.generator_cores[:1]) as load:
            load.wait_for("exchanges")

    def _slice(self, server: Server, cell: Cell, contender: Contender, timing: Timing, empty: Run) -> Run:
        arguments, times = cell.generator_arguments(), (timing.seconds, timing.warmup_seconds)
        with ExitStack() as stack:
            if contender.scraped:
                stack.enter_context(scraped(server))
            loads = [
                stack.enter_context(self.generator.running(server.port, arguments, *times, (core,)))
                for core in cell.generator_cores
            ]
            for load in loads:
                load.wait_for("warm")
            start, cpu_start, waited_start = perf_counter(), server.total(cpu_seconds), server.total(waited_seconds)
            results = [load.wait_for("exchanges") for load in loads]
            elapsed, cpu = perf_counter() - start, server.total(cpu_seconds) - cpu_start
            waited = server.total(waited_seconds) - waited_start
        worst = {name: max(result[name] for result in results) for name in ("seconds", "p50_us", "p99_us", "p999_us")}
        return replace(
            empty,
            **worst,
            exchanges=sum(result["exchanges"] for result in results),
            server_cpu_seconds=cpu,
            server_utilisation=cpu / elapsed / len(cell.server_cores),
            server_waiting=waited / elapsed / len(server.data_processes),
        )


def rotated(items: Sequence[T], by: int) -> tuple[T, ...]:
    """Return the items beginning `by` places later."""
    by %= len(items)
    return (*items[by:], *items[:by])


def _joined(slices: Sequence[Run]) -> Run:
    """Return the run that consists of these slices: sums, and medians of all that cannot be added up."""
    sums = {name: sum(getattr(run, name) for run in slices) for name in ("exchanges", "seconds", "server_cpu_seconds")}
    others = ("p50_us", "p99_us", "p999_us", "server_utilisation", "server_waiting")
    return replace(slices[0], **sums, **{name: median(getattr(run, name) for run in slices) for name in others})
