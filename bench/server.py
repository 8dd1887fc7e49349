"""A server under measurement: started, waited for, ended."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.process import anonymous_bytes, children, cpu_seconds, end, open_descriptors, pinned

READY_SECONDS = 20.0
LOOK_SECONDS = 0.005
FIRST_PORT = 20000  # below the ports that connections are given, so that none of those is in the way
LAST_PORT = 32000
STENTOR = (
    str(Path(sys.executable).with_name("stentor-server")),
    *("serve", "--port", "0", "--admin-port", "0", "--log-format", "json", "--idle-timeout", "10m"),
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
    port = _free_port()
    with _running([*command, str(port)], cores, log) as process:
        _wait(lambda: _accepts(port), process, log)
        yield Server(port, (process.pid,))


@contextmanager
def running_stentor(arguments: Sequence[str], cores: Iterable[int], log: Path) -> Iterator[Server]:
    """Run Stentor's server as a user would; it is ready when it logs so.

    Raises ServerFailedError.
    """
    with _running([*STENTOR, *arguments], cores, log) as process:
        _wait(lambda: _ready_event(log) is not None, process, log)
        ready = _ready_event(log)
        assert ready is not None
        port, admin_port = (int(address.rpartition(":")[2]) for address in (ready["addresses"][0], ready["admin"]))
        yield Server(port, tuple(children(process.pid)), admin_port)


@contextmanager
def _running(command: Sequence[str], cores: Iterable[int], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STENTOR_")}
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


def _ready_event(log: Path) -> dict[str, Any] | None:
    for line in log.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            event: dict[str, Any] = json.loads(line)
            if event.get("event") == "server.ready":
                return event
    return None


def _free_port() -> int:
    for port in range(FIRST_PORT, LAST_PORT):
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerFailedError(f"no free port from {FIRST_PORT} to {LAST_PORT}")
