"""Real services as child processes."""

import contextlib
import functools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from connections import answer_to
from exposition import OPENER, Samples, balanced, scrape, total
from waiting import SECONDS, until

BIN = str(Path(sys.executable).parent)
# The environment is an interface: one that a developer has set must not leak into the tests.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("STENTOR_")}
NOTHING: Mapping[str, str] = MappingProxyType({})
FREE = ("--port", "0", "--admin-port", "0")
_JSON = ("--log-format", "json")


def run(
    command: str, *arguments: str, stdin: bytes | None = b"", **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command line of ours to its end."""
    options = {"env": ENVIRONMENT, "capture_output": True, **options}
    return subprocess.run([f"{BIN}/{command}", *arguments], input=stdin, timeout=90, check=False, **options)


@contextlib.contextmanager
def running(command: str, *arguments: str, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command line of ours beside the test; be sure that it is gone afterwards."""
    options = {"env": ENVIRONMENT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen([f"{BIN}/{command}", *arguments], **options) as process:
        try:
            yield process
        finally:
            process.kill()


def loaded(target: str, *options: str) -> tuple[int, dict[str, Any], list[dict[str, Any]]]:
    """Run a load of half a second; return its exit code, its figures, and the events that it logs."""
    brief = ("--duration", "500ms", "--warmup", "0", "--json", "-", "--log-format", "json")
    ended = run("stentor-client", "load", "--target", target, *brief, *options)
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout), [json.loads(line) for line in ended.stderr.splitlines()]


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not exited."""
    return state(pid) not in {"", "Z"}


def state(pid: int) -> str:
    """Return the letter of a process's state, or nothing when it is gone, see proc_pid_stat(5)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Service:
    """A running service; its log is read as it is written."""

    def __init__(self, *command: str, ready: str, environment: Mapping[str, str] = NOTHING, **options: Any) -> None:
        """Start it; the block of `with` begins when it has logged the event `ready`."""
        self.process = subprocess.Popen(command, env={**ENVIRONMENT, **environment}, text=True, **options)
        self.events: list[dict[str, Any]] = []
        self._first = 0  # of the events that count
        self._before: Samples = {}
        self._ready = ready
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        """Wait until it is ready."""
        assert self.facts
        return self

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        """What it logged when it was ready."""
        return self.event(self._ready)

    @property
    def admin(self) -> str:
        """Where its admin endpoint is."""
        return str(self.facts["admin"])

    def __exit__(self, *_: object) -> None:
        """Stop it, and be sure that it is gone."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
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

    def reaches(self, name: str, least: float = 1) -> Samples:
        """Wait until a metric is as large; return all of them."""

        def reached() -> Samples | None:
            values = self.metrics()
            return values if values[name] >= least else None

        return until(reached, f"{name} to be {least} or more")

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an admin path."""
        try:
            with OPENER.open(f"{self.admin}{path}", timeout=SECONDS) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def status(self) -> dict[str, Any]:
        """Return what `/status` says."""
        found: dict[str, Any] = json.loads(self.get("/status")[1])
        return found

    def worker_pids(self, state: str = "ready") -> list[int]:
        """Return the process ids of the workers that are in a state, by worker number."""
        return [each["pid"] for each in self.status()["workers"] if each["state"] == state]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and return the exit code."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> int:
        """Wait for the end, and return the exit code."""
        code = self.process.wait(SECONDS)
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
        self, *options: str, environment: Mapping[str, str] = NOTHING, descriptors: int = 0, before: Sequence[str] = ()
    ) -> None:
        """Start it with these options, and each process with at most so many descriptors, if not 0."""
        limited = ("prlimit", f"--nofile={descriptors}:{descriptors}") if descriptors else ()
        super().__init__(
            *(*before, *limited, f"{BIN}/stentor-server", "serve", *FREE, *_JSON, *options),
            ready="server.ready",
            environment={"STENTOR_LOG_LEVEL": "debug", **environment},
            stdout=subprocess.PIPE,
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

    def connect(self, source: str = "") -> socket.socket:
        """Return a new connection to it, from the address `source` if there is one."""
        return socket.create_connection(self.address, SECONDS, source_address=(source, 0) if source else None)

    def secured(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Return a new connection after its TLS handshake."""
        return context.wrap_socket(self.connect(), server_hostname="127.0.0.1")

    def deaf(self) -> socket.socket:
        """Return a connection that does not read, and has written until the server waits for it."""
        connection = self.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # also keeps the kernel from making room
        connection.setblocking(False)
        before = self.metrics()["stentor_server_read_pauses_total"]

        def paused() -> bool:
            with contextlib.suppress(BlockingIOError):
                connection.send(bytes(16 << 10))  # not much at a time, so that there is room for the end of our side
            now = self.metrics()
            return now["stentor_server_read_pauses_total"] > before and now["stentor_server_write_buffer_bytes"] > 0

        until(paused, "the server to wait for the reader")
        connection.settimeout(SECONDS)
        return connection

    def ask(self, data: bytes) -> bytes:
        """Send, end our side, and return all that comes back."""
        with self.connect() as connection:
            return answer_to(connection, data)

    def begin(self) -> Self:
        """Begin a test on a server that others have used: what came before it is settled, and counts no more."""
        self._first, self._before = 0, {}
        self._before = until(self._all_logged, "every end of a connection to be logged")
        self._first = len(self.events)
        return self

    def closed(self, reason: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until log and metric have `count` connections that ended for this reason; return the events."""
        return self._counted_and_logged("closed", reason, count)

    def rejected(self, reason: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until log and metric have `count` connections rejected for this reason; return the events."""
        return self._counted_and_logged("rejected", reason, count)

    def quiet(self) -> Samples:
        """Wait until no connection is open; return what was counted since the beginning, which must balance."""

        def all_closed() -> Samples | None:
            values = self.metrics()
            return values if values["stentor_server_connections_active"] == 0 else None

        values = until(all_closed, "all connections to be closed")
        assert balanced(values)
        return self._since(values)

    def _all_logged(self) -> Samples | None:
        """Return what is counted if no connection is open, and the log has the end of each that there was."""
        values = self.quiet()
        ended = sum(total(values, f"stentor_server_connections_{how}_total") for how in ("closed", "rejected"))
        return values if ended == len(self.find("connection.closed")) + len(self.find("connection.rejected")) else None

    def _counted_and_logged(self, how: str, reason: str, count: int) -> list[dict[str, Any]]:
        self.event(f"connection.{how}", count, reason=reason)
        name = f'stentor_server_connections_{how}_total{{reason="{reason}"}}'
        assert self._since(self.metrics())[name] == count
        return self.find(f"connection.{how}", reason=reason)

    def _since(self, values: Samples) -> Samples:
        return {name: value - self._before.get(name, 0) * ("_total" in name) for name, value in values.items()}


class Probe(Service):
    """A `stentor-client probe`."""

    def __init__(self, target: str, *options: str, before: Sequence[str] = ()) -> None:
        """Start it with these options, and `before` it what runs it."""
        command = (f"{BIN}/stentor-client", "probe", "--admin-port", "0", *_JSON, "--target", target)
        super().__init__(*before, *command, *options, ready="client.ready", stderr=subprocess.PIPE)
