"""One worker process, as the control process sees it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum

from stentor_chassis.control.worker import CONTROLS_AFFAIR, DONE, READY, RETIRE, Assignment
from stentor_chassis.counters.metrics import RestartReason


class State(StrEnum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    RETIRED = "retired"  # its successor serves who comes; it serves whom it has, for as long as they last
    DRAINING = "draining"
    EXITED = "exited"


class WorkerProcess:
    """A child, started by exec, that inherits its listening sockets and holds the other end of a lifeline."""

    def __init__(
        self,
        command: Sequence[str],
        assignment: Assignment,
        *,
        on_ready: Callable[["WorkerProcess"], None],
        on_exit: Callable[["WorkerProcess"], None],
    ) -> None:
        """Start the child, or raise `OSError`.

        `on_ready` is called at most once, when the child serves; `on_exit` once, when it has gone. Both are called
        from the event loop.
        """
        self.number = assignment.worker
        self.row = assignment.row
        self.state = State.STARTING
        self.done = False  # it said that its work is finished
        self.retire_requested = False
        self.stop_requested = False
        self.launched = time.monotonic()
        self.killed_for: RestartReason | None = None
        self.beats = 0
        self.missed_beats = 0
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[bool] = loop.create_future()
        self.exited: asyncio.Future[int] = loop.create_future()
        self._on_ready = on_ready
        self._on_exit = on_exit
        self._lifeline, theirs = socket.socketpair()
        try:
            with theirs:
                inherited = [assignment.counters_fd, *assignment.listener_fds, *assignment.inherited_fds]
                # The mask is inherited: until the child can ignore these, they wait.
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, CONTROLS_AFFAIR)
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
        with contextlib.suppress(BrokenPipeError):  # it may be gone already; `_reap` will see that
            self._lifeline.sendall(json.dumps(asdict(assignment)).encode() + b"\n")
        self._lifeline.setblocking(False)
        loop.add_reader(self._lifeline, self._hear)

    def _open_pidfd(self) -> int:
        try:
            return os.pidfd_open(self.pid)
        except OSError:  # nobody would watch it
            self._child.kill()
            self._child.wait()
            raise

    def retire(self) -> None:
        """Ask the worker to accept no more, and to exit when the last of its connections is gone."""
        if self.state is State.READY:
            self.state = State.RETIRED
            self.retire_requested = True
            self.say(RETIRE)

    def say(self, word: bytes) -> None:
        """Send the worker a word, which ends with a newline."""
        with contextlib.suppress(ConnectionError):  # it may be gone already; `_reap` will see that
            self._lifeline.send(word)

    def terminate(self) -> None:
        """Ask the worker to drain and exit."""
        if self.state is not State.EXITED:
            self.state = State.DRAINING
            self.stop_requested = True
            signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)

    def kill(self, reason: RestartReason | None = None) -> None:
        """End the worker at once."""
        if self.state is not State.EXITED:
            self.killed_for = reason
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def exit_expected(self) -> bool:
        """Whether a worker that has gone went as it was told to, or because its work was finished."""
        if self.killed_for is not None:  # for it did not go
            return False
        return self.stop_requested or self.done or (self.retire_requested and self.exited.result() == 0)

    def restart_reason(self) -> RestartReason:
        """Why a worker that has gone must be replaced."""
        if self.killed_for is not None:
            return self.killed_for
        return RestartReason.SIGNAL if self.exited.result() < 0 else RestartReason.EXIT

    def _hear(self) -> None:
        try:
            words = self._lifeline.recv(64)
        except BlockingIOError:
            return
        except ConnectionResetError:
            words = b""
        if READY in words and self.state is State.STARTING:
            self.state = State.READY
            self.started.set_result(True)
            self._on_ready(self)
        if DONE in words:
            self.done = True
        if not words:
            asyncio.get_running_loop().remove_reader(self._lifeline)

    def _reap(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        self._hear()  # what it said last may not have been read yet
        loop.remove_reader(self._lifeline)
        code = self._child.wait()
        os.close(self._pidfd)
        self._lifeline.close()
        self.state = State.EXITED
        self.exited.set_result(code)
        if not self.started.done():
            self.started.set_result(False)
        self._on_exit(self)
