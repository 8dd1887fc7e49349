"""A worker process, as the control process sees it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum

from stentor_chassis.control.worker import DONE, READY, RETIRE, RETIRED, TERMINAL_SIGNALS, Assignment
from stentor_chassis.counters.metrics import RestartReason

# Modules are imported from the installation, never from the current directory, to which others may be able to write.
PYTHON = (sys.executable, "-P")


class State(StrEnum):
    """The stages of the life of a worker, or of a service."""

    STARTING = "starting"
    READY = "ready"
    RETIRED = "retired"  # its successor accepts new work, and it finishes its own
    DRAINING = "draining"


class WorkerProcess:
    """A child process that inherits listening sockets, and is connected by a lifeline."""

    def __init__(
        self,
        command: Sequence[str],
        assignment: Assignment,
        *,
        on_ready: Callable[["WorkerProcess"], None],
        on_exit: Callable[["WorkerProcess"], None],
    ) -> None:
        """Start the child; raise `OSError` if that fails.

        The event loop calls `on_ready` at most once, when the child serves, and `on_exit` once, when it has exited.
        """
        self.number = assignment.worker
        self.row = assignment.row
        self.state = State.STARTING  # it stays as it was at the exit
        self.done = False  # it reported that its work is finished
        self.launched = time.monotonic()
        self.generation = 0  # how many reloads had been requested by then
        self.killed_for: RestartReason | None = None
        self.beats = 0
        self.missed_beats = 0
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[bool] = loop.create_future()
        self.stopped_accepting: asyncio.Future[None] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._lifeline, theirs = socket.socketpair()
        try:
            with theirs:
                inherited = [assignment.counters_fd, *assignment.listener_fds, *assignment.inherited_fds]
                # The child inherits the mask, so that these signals wait until it can ignore them.
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, TERMINAL_SIGNALS)
                try:
                    self._child = subprocess.Popen(command, stdin=theirs.fileno(), pass_fds=inherited)
                finally:
                    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self.pid = self._child.pid
            self._pidfd = self._open_pidfd()
        except OSError:
            self._lifeline.close()
            raise
        loop.add_reader(self._pidfd, self._reap)
        with contextlib.suppress(BrokenPipeError):  # it has exited already; `_reap` will notice
            self._lifeline.sendall(json.dumps(asdict(assignment)).encode() + b"\n")
        self._lifeline.setblocking(False)
        loop.add_reader(self._lifeline, self._read_lifeline)

    def _open_pidfd(self) -> int:
        try:
            return os.pidfd_open(self.pid)
        except OSError:  # without it, an exit would go unnoticed
            self._child.kill()
            self._child.wait()
            raise

    def retire(self) -> None:
        """Ask the worker to stop accepting, and to exit when its last connection has ended."""
        if self.state is State.READY and not self.exited.done():
            self.state = State.RETIRED
            self.send(RETIRE)

    def send(self, message: bytes) -> None:
        """Send the worker a message over the lifeline; it ends with a newline."""
        with contextlib.suppress(ConnectionError):  # it has exited already; `_reap` will notice
            self._lifeline.send(message)

    def terminate(self) -> None:
        """Ask the worker to drain and exit."""
        if not self.exited.done():
            self.state = State.DRAINING
            os.kill(self.pid, signal.SIGTERM)  # it is not reaped yet, so the number is still its own

    def kill(self, reason: RestartReason | None = None) -> None:
        """Kill the worker; `reason` is given if it must be replaced."""
        if not self.exited.done():
            self.killed_for = reason
            os.kill(self.pid, signal.SIGKILL)

    def exit_expected(self) -> bool:
        """Return whether a worker that has exited was asked to, or had finished its work."""
        if self.killed_for is not None:
            return False
        retired = self.state is State.RETIRED and self.exited.result() == 0
        return retired or self.done or self.state is State.DRAINING

    def restart_reason(self) -> RestartReason:
        """Return why a worker that has exited must be replaced."""
        if self.killed_for is not None:
            return self.killed_for
        return RestartReason.SIGNAL if self.exited.result() < 0 else RestartReason.EXIT

    def _read_lifeline(self) -> None:
        try:
            messages = self._lifeline.recv(64)
        except BlockingIOError:
            return
        except ConnectionResetError:
            messages = b""
        if READY in messages and self.state is State.STARTING:
            self.state = State.READY
            self.started.set_result(True)
            self._on_ready(self)
        if DONE in messages:
            self.done = True
        if RETIRED in messages and not self.stopped_accepting.done():
            self.stopped_accepting.set_result(None)
        if not messages:
            asyncio.get_running_loop().remove_reader(self._lifeline)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        self._read_lifeline()  # its last messages may still be unread
        loop.remove_reader(self._lifeline)
        code = self._child.wait()
        os.close(self._pidfd)
        self._lifeline.close()
        self.exited.set_result(code)
        if not self.stopped_accepting.done():
            self.stopped_accepting.set_result(None)
        if not self.started.done():
            self.started.set_result(False)
        self._on_exit(self)
