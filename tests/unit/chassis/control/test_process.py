"""One worker process, seen from the control process."""

import dataclasses
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest

from stentor_chassis.control.process import State, WorkerProcess
from stentor_chassis.counters.metrics import RestartReason, Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from unit.chassis.example import SCHEMA
from unit.chassis.team import assignment

NewCounters = Callable[[Schema, int], SharedCounters]
Spawn = Callable[..., WorkerProcess]
# The worker's end of the lifeline is its standard input, for words in both directions.
READY = "read told; echo ready >&0; "
ROW = 3


def _ignore(_process: WorkerProcess) -> None:
    pass


@pytest.fixture
def spawn(new_counters: NewCounters) -> Spawn:
    """Starts processes from lines of shell."""

    def start(script: str, *, shell: str = "/bin/sh", **told: Callable[[WorkerProcess], None]) -> WorkerProcess:
        nobody: dict[str, Any] = {"on_ready": _ignore, "on_exit": _ignore}
        counters = new_counters(SCHEMA, ROW + 1)
        return WorkerProcess([shell, "-c", script], assignment(counters, 2, ROW), **nobody | told)

    return start


async def test_life(spawn: Spawn) -> None:
    """It starts, is ready when it says so, drains when told to, and has exited; both are told once."""
    readies: list[WorkerProcess] = []
    ends: list[WorkerProcess] = []
    process = spawn(READY + "read more", on_ready=readies.append, on_exit=ends.append)
    assert (process.state, process.number, process.row) == (State.STARTING, 2, ROW)
    assert await process.started
    assert [process] == readies
    assert str(process.state) == "ready"
    process.terminate()
    assert (process.state, process.stop_requested) == (State.DRAINING, True)
    assert await process.exited == -signal.SIGTERM  # a shell does not drain
    assert (process.state, readies, ends) == (State.EXITED, [process], [process])


@pytest.mark.parametrize("code", [0, 4])
async def test_retire(spawn: Spawn, code: int) -> None:
    """It is told to retire by a word, and goes when it likes; how it goes says whether it did so in order."""
    process = spawn(READY + f'read word; [ "$word" = retire ] && read more; exit {code}')
    assert await process.started
    process.retire()
    assert (str(process.state), process.stop_requested) == ("retired", False)
    process._lifeline.shutdown(socket.SHUT_WR)
    assert await process.exited == code
    assert process.exit_expected() == (code == 0)


async def test_retired_one_is_told_to_stop(spawn: Spawn) -> None:
    """One that retired can still be told to stop, and is then to go however it goes."""
    process = spawn(READY + "read word; read more")
    assert await process.started
    process.retire()
    process.terminate()
    assert process.state == State.DRAINING
    assert await process.exited == -signal.SIGTERM
    assert process.exit_expected()


async def test_retire_one_that_just_went(spawn: Spawn) -> None:
    """Telling one to retire that has gone, before this process noticed, is no error; it was not to go."""
    process = spawn(READY + "read more")
    assert await process.started
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop stands still
    process.retire()
    assert await process.exited == -signal.SIGKILL
    assert not process.exit_expected()


async def test_hears_its_assignment(spawn: Spawn) -> None:
    """It is told its assignment as one line."""
    process = spawn("""read told; case "$told" in '{"service": "an-example"'*'}') exit 7; esac""")
    assert await process.exited == 7


async def test_inherits_descriptors(new_counters: NewCounters) -> None:
    """It has the descriptors of its counters, its listeners and what its service shares, under the same numbers."""
    counters = new_counters(SCHEMA, ROW + 1)
    theirs, ours = os.pipe(), os.pipe()
    told = dataclasses.replace(assignment(counters, 2, ROW), listener_fds=[theirs[1]], inherited_fds=[ours[1]])
    words = ((counters.fd, ""), (theirs[1], "listener"), (ours[1], "shared"))
    script = "read told; " + "".join(f"printf '{word}' >> /proc/self/fd/{fd} || exit 8; " for fd, word in words)
    process = WorkerProcess(["/bin/sh", "-c", script], told, on_ready=_ignore, on_exit=_ignore)
    assert await process.exited == 0
    assert (os.read(theirs[0], 64), os.read(ours[0], 64)) == (b"listener", b"shared")
    for fd in (*theirs, *ours):
        os.close(fd)


async def test_exit_before_ready(spawn: Spawn) -> None:
    """One that exits before it is ready has not started."""
    readies: list[WorkerProcess] = []
    process = spawn("exit 3", on_ready=readies.append)
    assert not await process.started
    assert readies == []
    assert await process.exited == 3
    assert not process.done
    assert process.restart_reason() == RestartReason.EXIT


async def test_done(spawn: Spawn) -> None:
    """What it says last is heard even when it has exited meanwhile."""
    process = spawn(READY + "echo done >&0")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop stands still
    assert await process.started
    assert await process.exited == 0
    assert process.done
    assert process.exit_expected()


async def test_killed_from_outside(spawn: Spawn) -> None:
    """One that a signal killed is replaced for that reason."""
    process = spawn(READY + "read more")
    assert await process.started
    os.kill(process.pid, signal.SIGKILL)
    assert await process.exited == -signal.SIGKILL
    assert process.restart_reason() == RestartReason.SIGNAL
    assert not process.stop_requested
    assert not process.exit_expected()


async def test_killed_for_a_reason(spawn: Spawn) -> None:
    """One that was killed for a reason is replaced for that reason."""
    process = spawn(READY + "read more")
    assert await process.started
    process.kill(RestartReason.HEARTBEAT)
    assert await process.exited == -signal.SIGKILL
    assert process.restart_reason() == RestartReason.HEARTBEAT


async def test_lifeline_ends_with_us(spawn: Spawn) -> None:
    """The worker sees the end of its lifeline, and nothing of it is inherited by the next one."""
    first = spawn(READY + "read more; exit 9")
    assert await first.started
    second = spawn(READY + "read more")
    assert await second.started
    first._lifeline.shutdown(1)
    assert await first.exited == 9
    second.kill()
    await second.exited


async def test_late_words_are_no_error(spawn: Spawn) -> None:
    """Telling one that has gone to retire or to stop, or killing it, does nothing."""
    process = spawn("exit 0")
    await process.exited
    process.retire()
    process.terminate()
    process.kill()
    assert process.state == State.EXITED
    assert not process.retire_requested
    assert not process.stop_requested


async def test_cannot_be_started(spawn: Spawn) -> None:
    """Where no process can be started, that is an error, and no descriptor stays open."""
    with pytest.raises(FileNotFoundError):
        spawn("exit 0", shell="/no/such/shell")


async def test_leaves_nothing_open(spawn: Spawn) -> None:
    """When it has gone, so have all descriptors that it took."""
    process = spawn("exit 0")
    pidfd, lifeline = process._pidfd, process._lifeline
    await process.exited
    assert lifeline.fileno() == -1
    with pytest.raises(OSError):
        os.fstat(pidfd)


async def test_many_words_at_once(spawn: Spawn) -> None:
    """Words that arrive together are all heard, and words that mean nothing are ignored."""
    process = spawn("read told; printf 'hm\\nready\\ndone\\n' >&0; read more")
    assert await process.started
    assert process.done
    process.kill()
    await process.exited
