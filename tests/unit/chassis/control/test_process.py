"""Worker processes, seen from the control process."""

import dataclasses
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from stentor_chassis.control.process import State, WorkerProcess
from stentor_chassis.counters.metrics import RestartReason
from unit.chassis.example import SCHEMA, NewCounters
from unit.chassis.team import assignment

Spawn = Callable[..., WorkerProcess]
# The worker's end of the lifeline is its standard input, for messages in both directions.
READY = "read told; echo ready >&0; "
ROW = 3


@pytest.fixture
def spawn(new_counters: NewCounters) -> Spawn:
    """Starts processes from lines of shell."""

    def start(script: str, *, shell: str = "/bin/sh", **changes: Any) -> WorkerProcess:
        functions: dict[str, Any] = {"on_ready": lambda _: None, "on_exit": lambda _: None}
        told = assignment(new_counters(SCHEMA, ROW + 1), 2, ROW)
        fields = {key: changes.pop(key) for key in list(changes) if key not in functions}
        return WorkerProcess([shell, "-c", script], dataclasses.replace(told, **fields), **functions | changes)

    return start


async def test_life(spawn: Spawn) -> None:
    """It starts, is ready when it says so, is told to stop, and has exited; then it has no descriptors left."""
    calls: list[tuple[str, WorkerProcess]] = []
    process = spawn(
        READY + "read more",
        on_ready=lambda ready: calls.append(("ready", ready)),
        on_exit=lambda gone: calls.append(("exit", gone)),
    )
    pidfd, lifeline = process._pidfd, process._lifeline
    assert (process.state, process.number, process.row) == (State.STARTING, 2, ROW)
    assert await process.started
    assert str(process.state) == "ready"
    process.terminate()
    assert process.state == State.DRAINING
    assert await process.exited == -signal.SIGTERM  # a shell does not drain
    assert process.exit_expected()
    assert calls == [("ready", process), ("exit", process)]
    assert lifeline.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pidfd)


@pytest.mark.parametrize("code", [0, 4])
async def test_retire(spawn: Spawn, code: int) -> None:
    """A retired worker is expected to exit with 0, or in any way after it is told to stop."""
    process = spawn(READY + f'read word; [ "$word" = retire ] && read more; exit {code}')
    assert await process.started
    process.retire()
    assert str(process.state) == "retired"
    process._lifeline.shutdown(socket.SHUT_WR)
    assert await process.exited == code
    assert process.exit_expected() == (code == 0)
    other = spawn(READY + "read word; read more")
    assert await other.started
    other.retire()
    other.terminate()
    assert other.state == State.DRAINING
    assert await other.exited == -signal.SIGTERM
    assert other.exit_expected()


async def test_killed_from_outside(spawn: Spawn) -> None:
    """One that a signal killed is replaced for that reason, even if it is asked to retire before its end is noticed."""
    process = spawn(READY + "read more")
    assert await process.started
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop must not run
    process.retire()
    assert await process.exited == -signal.SIGKILL
    assert process.restart_reason() == RestartReason.SIGNAL
    assert not process.exit_expected()


async def test_exit_before_ready(spawn: Spawn) -> None:
    """One that exits before it is ready has not started; requests to one that has exited do nothing."""
    process = spawn("exit 3")
    assert not await process.started
    assert await process.exited == 3
    assert process.restart_reason() == RestartReason.EXIT
    process.retire()
    process.terminate()
    process.kill()
    assert (process.state, process.exit_expected()) == (State.STARTING, False)


async def test_last_messages(spawn: Spawn) -> None:
    """Messages that arrive together are all read, also when the worker has exited; unknown ones are ignored."""
    process = spawn("read told; printf 'hm\\nready\\ndone\\n' >&0")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop must not run
    assert await process.started
    assert await process.exited == 0
    assert (process.done, process.exit_expected()) == (True, True)


async def test_assignment_and_descriptors(spawn: Spawn) -> None:
    """It gets its assignment as one line, and inherits the descriptors in it under the same numbers."""
    theirs, ours = os.pipe(), os.pipe()
    words = ((theirs[1], "listener"), (ours[1], "shared"))
    script = """read told; case "$told" in '{"service": "an-example"'*'}') ;; *) exit 7; esac; """
    script += "".join(f"printf '{word}' >> /proc/self/fd/{fd} || exit 8; " for fd, word in words)
    process = spawn(
        script + """counters=${told#*'"counters_fd": '}; [ -e /proc/self/fd/${counters%%,*} ] || exit 9""",
        listener_fds=[theirs[1]],
        inherited_fds=[ours[1]],
    )
    assert await process.exited == 0
    assert (os.read(theirs[0], 64), os.read(ours[0], 64)) == (b"listener", b"shared")
    for fd in (*theirs, *ours):
        os.close(fd)
