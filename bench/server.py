"""A server under measurement: started, waited for, ended."""

import itertools
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.process import anonymous_bytes, children, cpu_seconds, end, open_descriptors, pinned, waited_seconds

READY_SECONDS = 20.0
LOOK_SECONDS = 0.005
FIRST_PORT = 20000  # below the ports that connections are given, so that none of those is in the way
LAST_PORT = 32000
STENTOR = (
    str(Path(sys.executable).with_name("stentor-server")),
    *("serve", "--log-format", "json", "--idle-timeout", "10m"),
)


class ServerFailedError(Exception):
    """A server did not start; the message is one line."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    working: tuple[int, ...]  # the processes that carry data
    admin_port: int | None = None

    def cpu_seconds(self) -> float:
        """Return the processor time of the processes that carry data."""
        return sum(cpu_seconds(pid) for pid in self.working)

    def waited_seconds(self) -> float:
        """Return how long the processes that carry data waited for their cores."""
        return sum(waited_seconds(pid) for pid in self.working)

    def anonymous_bytes(self) -> int:
        """Return the memory that the processes that carry data have to themselves."""
        return sum(anonymous_bytes(pid) for pid in self.working)

    def open_descriptors(self) -> int:
        """Return the descriptors of the processes that carry data."""
        return sum(open_descriptors(pid) for pid in self.working)


@contextmanager
def running_peer(command: Sequence[str], cores: Iterable[int], log: Path) -> Iterator[Server]:
    """Run a peer; it is ready when its port accepts.

    Raises ServerFailedError.
    """
    (port,) = _free_ports(1)
    with _running([*command, str(port)], cores, log) as process:
        _wait(lambda: _accepts(port), process, log)
        yield Server(port, (process.pid,))


@contextmanager
def running_stentor(
    arguments: Sequence[str], cores: Iterable[int], log: Path, packages: Path | None = None
) -> Iterator[Server]:
    """Run Stentor's server as a user would, or with other `packages`; it is ready when it says so.

    Raises ServerFailedError.
    """
    port, admin_port = _free_ports(2)
    command = [*STENTOR, "--port", str(port), "--admin-port", str(admin_port), *arguments]
    with _running(command, cores, log, packages) as process:
        _wait(lambda: _is_ready(admin_port), process, log)
        workers = tuple(children(process.pid))
        for pid, core in zip(workers, itertools.cycle(cores), strict=False):
            os.sched_setaffinity(pid, {core})  # else the kernel may leave two on one core
        yield Server(port, workers, admin_port)


@contextmanager
def _running(
    command: Sequence[str], cores: Iterable[int], log: Path, packages: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STENTOR_")}
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
    with log.open("wb") as sink, pinned(cores):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment)
    try:
        yield process
    finally:
        end(process)


def _wait(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise ServerFailedError(last[0] if last else "did not become ready")
        time.sleep(LOOK_SECONDS)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _is_ready(admin_port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{admin_port}/readyz", timeout=1):
        return True
    return False


def _free_ports(number: int) -> list[int]:
    free: list[int] = []
    for port in random.sample(range(FIRST_PORT, LAST_PORT), LAST_PORT - FIRST_PORT):  # others may look for some as well
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == number:
            return free
    raise ServerFailedError(f"no free port from {FIRST_PORT} to {LAST_PORT}")
