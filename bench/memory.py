"""How much memory an idle connection costs a server, and how many connections it holds."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench.contender import Contender, stentor
from bench.load import LoadFailedError
from bench.measurement import Bench
from bench.scrape import connections_active
from bench.server import ServerFailedError
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


def measure(bench: Bench, contender: Contender, round_: int) -> Memory:
    """Open idle connections to a fresh server, and measure the growth of its memory."""
    try:
        with contender.running((SERVER_CORE,), bench.folder) as server:
            bench.warm(server, WARM, 0.3)
            descriptors, before = _settled(server.open_descriptors), _settled(server.anonymous_bytes)
            arguments = ["--connections", "0", "--idle", str(CONNECTIONS)]
            with bench.generator.running(server.port, arguments, HOLD_SECONDS, 0, (GENERATOR_CORE,)) as load:
                load.wait_for("open")
                _until(lambda: server.open_descriptors() >= descriptors + CONNECTIONS)
                return Memory(contender.name, round_, CONNECTIONS, before, _settled(server.anonymous_bytes))
    except (ServerFailedError, LoadFailedError, OSError) as error:
        return Memory(contender.name, round_, failure=str(error))


def measure_many(bench: Bench) -> Memory:
    """Hold 100,000 connections with several workers, and ask the server for their number."""
    many = MANY_WORKERS * MANY_EACH
    contender = stentor("stentor-many", workers=MANY_WORKERS, connections=many + 100)
    try:
        with contender.running(BOTH_CORES, bench.folder) as server, ExitStack() as stack:
            before = server.anonymous_bytes()
            for number in range(MANY_WORKERS):
                arguments = ["--connections", "0", "--idle", str(MANY_EACH), "--sources-from", str(number)]
                load = bench.generator.running(server.port, arguments, HOLD_SECONDS, 0, BOTH_CORES)
                stack.enter_context(load).wait_for("open")
            _until(lambda: connections_active(server) >= many)
            return Memory(contender.name, 1, connections_active(server), before, server.anonymous_bytes())
    except (ServerFailedError, LoadFailedError, OSError) as error:
        return Memory(contender.name, 1, failure=str(error))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise LoadFailedError("the server did not accept all connections")
        time.sleep(POLL_SECONDS)


def _settled(figure: Callable[[], int]) -> int:
    """Return a figure once it no longer changes."""
    before, now = -1, figure()
    deadline = time.monotonic() + WAIT_SECONDS
    while now != before and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        before, now = now, figure()
    return now
