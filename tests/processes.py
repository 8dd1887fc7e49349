"""Real services as child processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from exposition import OPENER, Samples, balanced, scrape, total
from waiting import until

BIN = str(Path(sys.executable).parent)
# The environment is an interface: one that a developer has set must not leak into the tests.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("STENTOR_")}


def run(
    command: str, *arguments: str, stdin: bytes | None = b"", **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command line to its end."""
    options.setdefault("env", ENVIRONMENT)
    return subprocess.run(
        [f"{BIN}/{command}", *arguments], input=stdin, capture_output=True, timeout=90, check=False, **options
    )


class Service:
    """A running service, its log read as it comes."""

    def __init__(
        self,
        *arguments: str,
        log_fd: int,
        ready: str,
        environment: Mapping[str, str] = MappingProxyType({}),
        descriptors: int = 0,
        before: Sequence[str] = (),
    ) -> None:
        """Start it, each process with at most so many `descriptors`, if not 0, and `before` it what runs it.

        The block of `with` begins when it has logged the event `ready`.
        """
        limited = ["prlimit", f"--nofile={descriptors}:{descriptors}"] if descriptors else []
        self.process = subprocess.Popen(
            [*before, *limited, f"{BIN}/{arguments[0]}", *arguments[1:], "--log-format", "json", "--admin-port", "0"],
            env={**ENVIRONMENT, **environment},
            text=True,
            stdout=subprocess.PIPE if log_fd == 1 else None,
            stderr=subprocess.PIPE if log_fd == 2 else None,
        )
        self.events: list[dict[str, Any]] = []
        self._first = 0  # of the events that count
        self._before: Samples = {}
        self._ready = ready
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        """Wait until it is ready."""
        self.facts = self.event(self._ready)
        self.admin: str = self.event(f"{self._ready.partition('.')[0]}.ready")["admin"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it, and be sure that it is gone."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def event(self, name: str, count: int = 1, **fields: object) -> dict[str, Any]:
        """Wait for an event with these fields, the `count`th of them, and return it."""

        def found() -> dict[str, Any] | None:
            events = self.find(name, **fields)
            return events[count - 1] if len(events) >= count else None

        return until(found, f"{count} {name} with {fields} in the log")

    def find(self, name: str, **fields: object) -> list[dict[str, Any]]:
        """Return the events so far that have these fields."""
        return [each for each in self.events[self._first :] if each["event"] == name and fields.items() <= each.items()]

    def metrics(self) -> Samples:
        """Scrape."""
        return scrape(self.admin)

    def status(self) -> dict[str, Any]:
        """Return what `/status` says."""
        with OPENER.open(f"{self.admin}/status", timeout=10) as response:
            found: dict[str, Any] = json.load(response)
            return found

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an admin path."""
        try:
            with OPENER.open(f"{self.admin}{path}", timeout=10) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def worker_pids(self) -> list[int]:
        """Return the process ids of the workers that are ready, by worker number."""
        return [each["pid"] for each in self.status()["workers"] if each["state"] == "ready"]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join(10)
        return code

    def _read(self) -> None:
        stream = self.process.stdout or self.process.stderr
        assert stream is not None
        for line in stream:
            self.events.append(json.loads(line))


class Server(Service):
    """A `stentor-server serve` on a free port of loopback."""

    def __init__(
        self, *options: str, environment: Mapping[str, str] = MappingProxyType({}), descriptors: int = 0
    ) -> None:
        """Start it with these options, this environment besides, and at most so many descriptors, if not 0."""
        command = ("stentor-server", "serve", "--port", "0")
        super().__init__(
            *command, *options, log_fd=1, ready="server.ready", environment=environment, descriptors=descriptors
        )

    @property
    def target(self) -> str:
        """Where it listens, as the client's `--target`."""
        return str(self.facts["addresses"][0])

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, as a socket address."""
        host, _, port = self.target.rpartition(":")
        return host.strip("[]"), int(port)

    def connect(self, timeout: float = 30.0, source: str = "") -> socket.socket:
        """Return a new connection to it, from the address `source` if there is one."""
        return socket.create_connection(self.address, timeout, source_address=(source, 0) if source else None)

    def ask(self, data: bytes) -> bytes:
        """Send, end our side, and return all that comes back."""
        with self.connect() as connection:
            writer = threading.Thread(target=send_and_end, args=(connection, data))
            writer.start()
            reply = read_all(connection)
            writer.join()
        return reply

    def begin(self) -> Self:
        """Begin a test on a server that others have used: what came before it is settled, and counts no more."""
        self._first, self._before = 0, {}
        self._before = until(self._all_told, "every end of a connection to be logged")
        self._first = len(self.events)
        return self

    def closed(self, reason: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until log and metric tell of `count` connections that ended for this reason; return the events."""
        return self._told("closed", reason, count)

    def rejected(self, reason: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until log and metric tell of `count` connections rejected for this reason; return the events."""
        return self._told("rejected", reason, count)

    def quiet(self) -> Samples:
        """Wait until no connection is open; return what was counted since the beginning, which must balance."""

        def all_closed() -> Samples | None:
            values = self.metrics()
            return values if values["stentor_server_connections_active"] == 0 else None

        values = until(all_closed, "all connections to be closed")
        assert balanced(values)
        return self._counted(values)

    def _all_told(self) -> Samples | None:
        """Return what is counted where no connection is open, and the log has the end of each that there was."""
        values = self.quiet()
        ended = sum(total(values, f"stentor_server_connections_{what}_total") for what in ("closed", "rejected"))
        return values if ended == len(self.find("connection.closed")) + len(self.find("connection.rejected")) else None

    def _told(self, what: str, reason: str, count: int) -> list[dict[str, Any]]:
        self.event(f"connection.{what}", count, reason=reason)
        name = f'stentor_server_connections_{what}_total{{reason="{reason}"}}'
        assert self._counted(self.metrics())[name] == count
        return self.find(f"connection.{what}", reason=reason)

    def _counted(self, values: Samples) -> Samples:
        return {name: value - self._before.get(name, 0) * ("_total" in name) for name, value in values.items()}


class Probe(Service):
    """A `stentor-client probe`."""

    def __init__(self, target: str, *options: str, before: Sequence[str] = ()) -> None:
        """Start it with these options, and `before` it what runs it."""
        command = ("stentor-client", "probe", "--target", target)
        super().__init__(*command, *options, log_fd=2, ready="client.ready", before=before)


def read_all(connection: socket.socket) -> bytes:
    """Read to the peer's end."""
    parts = []
    while part := connection.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def send_and_end(connection: socket.socket, data: bytes) -> None:
    """Send, and end our side."""
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def fill(connection: socket.socket) -> None:
    """Write until nothing more is taken for a moment."""
    full = 0
    while full < 20:
        try:
            connection.send(bytes(1 << 16))
            full = 0
        except BlockingIOError:
            full += 1
            threading.Event().wait(0.01)


def running(pid: int) -> bool:
    """Whether a process is there and has not exited."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
