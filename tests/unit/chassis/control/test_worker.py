"""Data processes."""

import array
import dataclasses
import fcntl
import json
import select
import signal
import socket
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stentor_chassis.control.worker import BEAT_SECONDS, DONE, READY, RETIRE, beat
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.metrics import HEARTBEAT, LOOP_LAG
from stentor_chassis.counters.shared_counters import SharedCounters
from unit.chassis.example import SCHEMA, NewCounters
from unit.chassis.team import ENVIRONMENT, STAYS, assignment, command
from unit.looping import eventually
from waiting import until

SECONDS = 20.0
ROW = 2


class Child:
    """A worker process, and this end of its lifeline."""

    def __init__(self, start: list[str], counters: SharedCounters) -> None:
        """Start it; it waits for what it is told."""
        self.counters = counters
        self.lifeline, theirs = socket.socketpair()
        self.lifeline.settimeout(SECONDS)
        with theirs:
            self.process = subprocess.Popen(
                start, stdin=theirs.fileno(), stderr=subprocess.PIPE, pass_fds=[counters.fd], env=ENVIRONMENT
            )

    def assign(self, **options: Any) -> None:
        """Tell it what to do."""
        self.lifeline.sendall(
            json.dumps(dataclasses.asdict(assignment(self.counters, 3, ROW, **options))).encode() + b"\n"
        )

    def ended(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for its end; return exit code and log."""
        _, log = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, [json.loads(line) for line in log.splitlines()]


@pytest.fixture
def start(new_counters: NewCounters, tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    """Starts workers that do what a script says."""
    children: list[Child] = []

    def start(body: str) -> Child:
        children.append(Child(command(tmp_path, body), new_counters(SCHEMA, ROW + 1)))
        return children[-1]

    yield start
    for child in children:
        child.lifeline.close()
        child.process.kill()
        child.process.communicate()


def test_work_that_ends(start: Callable[[str], Child]) -> None:
    """A worker whose work is finished says so and exits with 0, even if SIGTERM arrives as the interpreter ends.

    It has frozen its heap when it was ready.
    """
    child = start("""
    class Late:
        def __del__(self, kill=os.kill, pid=os.getpid(), number=signal.SIGTERM):
            kill(pid, number)

    globals()["late"] = Late()  # until modules are cleared, after Python has removed its handlers
    worker.ready()
    assert gc.get_freeze_count()
    worker.done()
    """)
    child.assign()
    assert child.ended() == (0, [])
    assert child.lifeline.recv(64, socket.MSG_WAITALL) == READY + DONE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_signals_of_a_terminal_are_ignored(start: Callable[[str], Child], number: int) -> None:
    """Signals that a terminal sends to the whole process group are for the control process."""
    child = start("""
    worker.ready()
    await worker.stop.wait()
    os.write(0, b"stopped")
    """)
    child.assign()
    assert child.lifeline.recv(64) == READY
    child.process.send_signal(number)
    child.process.terminate()
    assert child.lifeline.recv(64) == b"stopped"
    assert child.ended() == (0, [])


def test_told_to_retire(start: Callable[[str], Child]) -> None:
    """The message to retire, in any segmentation, sets that event only; the end of the lifeline stops the worker."""
    child = start("""
    worker.ready()
    await worker.retire.wait()
    os.write(0, b"stopped" if worker.stop.is_set() else b"retired")
    await worker.stop.wait()
    """)
    child.assign()
    assert child.lifeline.recv(64) == READY
    for part in (b"ret", b"retire", b"re\nreti"):  # none of these lines is the message
        child.lifeline.sendall(part)
        until(lambda: _unread(child.lifeline) == 0, "the part to be read")
    _beats_on(child)
    assert select.select([child.lifeline], [], [], 0)[0] == []
    child.lifeline.sendall(RETIRE[4:])
    assert child.lifeline.recv(64) == b"retired"
    child.lifeline.close()
    code, (event,) = child.ended()
    assert (code, event["event"]) == (0, "worker.orphaned")
    assert {"service": "an-example", "version": "1.2.3", "worker": 3}.items() <= event.items()


def test_control_process_is_gone_early(start: Callable[[str], Child]) -> None:
    """If the lifeline ends before the assignment, or before the worker is ready, the worker exits with 0."""
    early, late = start(STAYS), start(STAYS)
    early.lifeline.close()
    late.assign()
    late.lifeline.close()
    assert early.ended() == (0, [])
    code, events = late.ended()
    assert code == 0
    assert {event["event"] for event in events} <= {"worker.orphaned"}


def test_failure(start: Callable[[str], Child]) -> None:
    """An exception is logged with its traceback, and ends the worker with exit code 1, but not that of a callback."""
    child = start("""
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    worker.ready()
    await worker.stop.wait()
    raise ValueError("broken")
    """)
    child.assign()
    assert child.lifeline.recv(64) == READY
    child.process.terminate()
    code, events = child.ended()
    assert code == 1
    found = [(event["event"], event["level"], event["exception"][0]["exc_type"]) for event in events]
    assert found == [("worker.exception", "error", "ZeroDivisionError"), ("worker.failed", "error", "ValueError")]


def test_no_memory(start: Callable[[str], Child]) -> None:
    """A worker that ends for want of memory, even in a task, says so without a traceback."""
    child = start("""
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(bytes, 1 << 62))
    """)
    child.assign()
    code, (event,) = child.ended()
    assert (code, event["event"], event["message"]) == (1, "worker.failed", "there is not enough memory")
    assert "exception" not in event


async def test_heartbeat_measures_lag(new_counters: NewCounters) -> None:
    """Each beat is an observation of how late the loop was; a delay is in the next beat, and only there."""
    row = new_counters(SCHEMA, 2).row(1)
    slot, began = SCHEMA.slot(HEARTBEAT), time.perf_counter()
    beat(SCHEMA, row)
    while time.perf_counter() < began + 3 * BEAT_SECONDS:
        continue  # keeps the loop from running
    await eventually(lambda: row[slot] >= 3, "the late beat, and one more")
    took = time.perf_counter() - began
    *counts, total = row[SCHEMA.slots(LOOP_LAG)]
    assert row[slot] == sum(counts)
    assert BEAT_SECONDS < total / NANOSECONDS <= took - (row[slot] - 1.5) * BEAT_SECONDS


def _beats_on(child: Child) -> None:
    """Wait for two more heartbeats: pending work is done by then."""
    row, slot = child.counters.row(ROW), SCHEMA.slot(HEARTBEAT)
    before = row[slot]
    until(lambda: row[slot] >= before + 2, "two more beats")


def _unread(connection: socket.socket) -> int:
    """Return whether the peer has yet to read something: how much memory of the kernel's it takes, or 0."""
    waiting = array.array("i", [0])
    fcntl.ioctl(connection, termios.TIOCOUTQ, waiting)
    return waiting[0]
