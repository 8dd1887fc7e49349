"""A server under measurement: start it, wait until it is ready, stop it."""

import itertools
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar
from urllib.error import HTTPError

from bench.process import children, end, listening_ports, pin, pinned

N = TypeVar("N", int, float)
READY_SECONDS = 60.0
POLL_SECONDS = 0.005
HTTP_SECONDS = 10.0
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy has a way to loopback


class ServerFailedError(Exception):
    """A server did not start; the message is one line."""


@dataclass(frozen=True)
class Server:
    """A running server; `data_processes` carry the data."""

    port: int
    data_processes: tuple[int, ...]
    admin_port: int | None = None

    def total(self, figure: Callable[[int], N]) -> N:
        """Return the sum of a figure, which is that of a process id, over the data processes."""
        return sum(figure(pid) for pid in self.data_processes)

    def get(self, path: str) -> str:
        """Return the admin endpoint's response to a GET.

        Raises OSError.
        """
        try:
            with _DIRECT.open(f"http://127.0.0.1:{self.admin_port}{path}", timeout=HTTP_SECONDS) as response:
                return str(response.read(), "utf-8")
        except HTTPError as error:
            with error:
                raise OSError(f"HTTP status {error.code} for {path}") from None
        except HTTPException as error:
            raise OSError(f"no valid HTTP response: {error!r}") from None


Find = Callable[[int], Server | None]  # returns the server with this process id, None until it is ready


def find_peer(pid: int) -> Server | None:
    """Return a peer, one process, once it listens."""
    return next((Server(port, (pid,)) for port in listening_ports(pid)), None)


def find_stentor(pid: int) -> Server | None:
    """Return Stentor's server once `/readyz` confirms it.

    Its log may be off, so the kernel has to tell the ports apart: only the control process has the admin port.
    """
    workers = children(pid)
    exchange: set[int] = set().union(*(listening_ports(worker) for worker in workers))
    admin = listening_ports(pid) - exchange
    if not len(exchange) == len(admin) == 1:
        return None
    server = Server(exchange.pop(), workers, admin.pop())
    server.get("/readyz")
    return server


@contextmanager
def running(
    command: Sequence[str], find: Find, cores: Collection[int], log: Path, packages: Path | None = None
) -> Iterator[Server]:
    """Run a server on these cores until the block ends; Python searches `packages` first.

    Raises ServerFailedError.
    """
    hidden = ("STENTOR_", "PYTHONPATH")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
    with log.open("wb") as sink, pinned(cores):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment)
    try:
        server = _ready(process, find, log)
        for pid, core in zip(server.data_processes, itertools.cycle(cores), strict=False):
            pin(pid, (core,))  # otherwise the kernel may leave two workers on one core
        yield server
    finally:
        end(process)


def _ready(process: subprocess.Popen[bytes], find: Find, log: Path) -> Server:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        with suppress(OSError):
            if server := find(process.pid):
                return server
        if process.poll() is not None or time.monotonic() > deadline:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise ServerFailedError(last[0] if last else "did not become ready")
        time.sleep(POLL_SECONDS)
