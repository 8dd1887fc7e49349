"""What an idle connection costs a server in memory, and how many it holds."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.contender import Contender, stentor
from bench.load import Generator, LoadFailedError
from bench.scrape import connections_active
from bench.server import Server, ServerFailedError
from bench.workload import BOTH_CORES, GENERATOR_CORE, SERVER_CORE

CONNECTIONS = 15000
HOLD_SECONDS = 60.0  # longer than a look at the server takes; the load is ended after that
WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.1
BEFORE = ("--size", "64", "--connections", "50")  # warms the server before its memory is looked at

MANY_WORKERS = 6
MANY_EACH = 16667  # a load process may open 20,000 descriptors


@dataclass(frozen=True)
class Memory:
    """The memory of the processes that carry data, before and after so many idle connections were opened."""

    contender: str
    round: int
    connections: int = 0
    before_bytes: int = 0
    after_bytes: int = 0
    failure: str = ""

    @property
    def each_bytes(self) -> float:
        """Bytes for each connection."""
        return (self.after_bytes - self.before_bytes) / self.connections if self.connections else 0.0


class Scales:
    """Where memory is measured."""

    def __init__(self, generator: Generator, folder: Path) -> None:
        """Keep logs in `folder`."""
        self._generator = generator
        self._folder = folder

    def weigh(self, contender: Contender, round_: int) -> Memory:
        """Open idle connections to a fresh server, and see what it takes for them."""
        try:
            with contender.running((SERVER_CORE,), self._folder) as server:
                return self._weigh(server, contender.name, round_)
        except (ServerFailedError, LoadFailedError, OSError) as error:
            return Memory(contender.name, round_, failure=str(error))

    def weigh_many(self) -> Memory:
        """Hold 100,000 connections with several workers, and ask the server how many it has."""
        many = MANY_WORKERS * MANY_EACH
        contender = stentor("stentor-many", workers=MANY_WORKERS, connections=many + 100)
        try:
            with contender.running(BOTH_CORES, self._folder) as server, ExitStack() as stack:
                before = server.anonymous_bytes()
                arguments = ["--connections", "0", "--idle", str(MANY_EACH)]
                for number in range(MANY_WORKERS):
                    sources = ["--sources-from", str(number)]
                    load = self._generator.running(server.port, [*arguments, *sources], HOLD_SECONDS, 0, BOTH_CORES)
                    stack.enter_context(load).wait_for("open")
                _wait(lambda: connections_active(server) >= many)
                return Memory(contender.name, 1, connections_active(server), before, server.anonymous_bytes())
        except (ServerFailedError, LoadFailedError, OSError) as error:
            return Memory(contender.name, 1, failure=str(error))

    def _weigh(self, server: Server, name: str, round_: int) -> Memory:
        with self._generator.running(server.port, BEFORE, 0.3, 0, (GENERATOR_CORE,)) as load:
            load.wait_for("exchanges")
        descriptors, before = _settled(server.open_descriptors), _settled(server.anonymous_bytes)
        arguments = ["--connections", "0", "--idle", str(CONNECTIONS)]
        with self._generator.running(server.port, arguments, HOLD_SECONDS, 0, (GENERATOR_CORE,)) as load:
            load.wait_for("open")
            _wait(lambda: server.open_descriptors() >= descriptors + CONNECTIONS)
            return Memory(name, round_, CONNECTIONS, before, _settled(server.anonymous_bytes))


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise LoadFailedError("the server did not take all connections")
        time.sleep(LOOK_SECONDS)


def _settled(figure: Callable[[], int]) -> int:
    """Return a figure once it stands still."""
    before, now = -1, figure()
    deadline = time.monotonic() + WAIT_SECONDS
    while now != before and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        before, now = now, figure()
    return now
