"""How much memory an idle connection costs a server, and how many connections it holds."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench.contender import Contender, stentor
from bench.load import LoadFailedError
from bench.measurement import Bench
from bench.process import anonymous_bytes, open_descriptors
from bench.server import Server, ServerFailedError
from bench.workload import BOTH_CORES, GENERATOR_CORE, SERVER_CORE, Cell

CONNECTIONS = 15000
HOLD_SECONDS = 600.0  # longer than all waiting below; the load is ended before
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1
WARM = Cell("warm", "64 B, 50 connections")

MANY_WORKERS = 6
MANY_EACH = 16667  # a load process may open 20,000 descriptors


@dataclass(frozen=True)
class Memory:
    """The memory of the data processes before and after this number of idle connections was opened."""

    contender: str
    round: int
    connections: int = 0
    before_bytes: int = 0
    after_bytes: int = 0
    failure: str = ""

    @property
    def each_bytes(self) -> float:
        """Bytes per connection."""
        return (self.after_bytes - self.before_bytes) / self.connections if self.connections else 0.0


def measure(bench: Bench, contender: Contender, round_: int, loads: int = 1, each: int = CONNECTIONS) -> Memory:
    """Open idle connections to a fresh server from some load processes, and measure the growth of its memory."""
    server_cores, load_cores = ((SERVER_CORE,), (GENERATOR_CORE,)) if loads == 1 else (BOTH_CORES, BOTH_CORES)
    try:
        with contender.running(server_cores, bench.folder) as server, ExitStack() as stack:
            bench.warm(server, WARM, 0.3)
            descriptors, before = _settled(server, open_descriptors), _settled(server, anonymous_bytes)
            for number in range(loads):
                arguments = ["--connections", "0", "--idle", str(each), "--sources-from", str(number)]
                load = bench.generator.running(server.port, arguments, HOLD_SECONDS, 0, load_cores)
                stack.enter_context(load).wait_for("open")
            _until(lambda: server.total(open_descriptors) >= descriptors + loads * each)
            return Memory(contender.name, round_, loads * each, before, _settled(server, anonymous_bytes))
    except (ServerFailedError, LoadFailedError, OSError) as error:
        return Memory(contender.name, round_, failure=str(error))


def measure_many(bench: Bench) -> Memory:
    """Hold 100,000 connections with several workers."""
    contender = stentor("stentor-many", workers=MANY_WORKERS, connections=MANY_WORKERS * MANY_EACH + 100)
    return measure(bench, contender, 1, MANY_WORKERS, MANY_EACH)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise LoadFailedError("the server did not accept all connections")
        time.sleep(POLL_SECONDS)


def _settled(server: Server, figure: Callable[[int], int]) -> int:
    """Return a figure of the server once it no longer changes."""
    before, now = -1, server.total(figure)
    deadline = time.monotonic() + WAIT_SECONDS
    while now != before and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        before, now = now, server.total(figure)
    return now
