"""Workers for tests, from small scripts, and what starts them."""

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stentor_chassis.control.supervisor import Supervisor
from stentor_chassis.control.worker import Assignment
from stentor_chassis.counters.metrics import RESTARTS, WORKERS, Metric, ReloadResult, RestartReason
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, GONE, SharedCounters
from stentor_chassis.logs.log import LogOptions
from unit.chassis.example import ENDED, RELOADED, SCHEMA, TAKEN
from unit.looping import Events, eventually

TESTS = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(TESTS)}

# A worker takes ten things, and then does what the test wants of it.
PROLOGUE = """
import asyncio, gc, os, signal, time
from stentor_chassis.control.worker import run
from unit.chassis.example import SCHEMA, TAKEN

async def serve(worker):
    worker.row[SCHEMA.slot(TAKEN)] = 10
"""
EPILOGUE = """
run(SCHEMA, serve, asyncio.new_event_loop)
"""
STAYS = """
    worker.ready()
    retired = asyncio.ensure_future(worker.retire.wait())
    retired.add_done_callback(lambda _: worker.retired())
    await worker.stop.wait()
"""

# Shell workers start quickly. Their end of the lifeline is their standard input, for messages in both directions;
# FIRST and MENDED are files of the test. They have no heartbeat, and SIGTERM ends them at once.
TOLD = """read told; number=${told#*'"worker": '}; number=${number%%,*}; """
READY = "echo ready >&0; "
DONE = "echo done >&0; "
STAYS_ON = READY + "read more; "  # until told to retire; then it exits, like one without connections
LINGERS = READY + "while read more; do echo retired >&0; done; "
FAILS = "exit 3; "
WAITS = "while [ ! -e $MENDED ]; do sleep 0.01; done; "
# The first worker of a number stays; its successors do what follows.
FIRST_STAYS = "if [ ! -e $FIRST$number ]; then : > $FIRST$number; " + STAYS_ON + "exit; fi; "
# The first workers stay; their successors fail until the file MENDED exists.
MENDABLE = FIRST_STAYS + "[ -e $MENDED ] || exit 3; " + STAYS_ON


def command(directory: Path, body: str = STAYS) -> list[str]:
    """Write a worker whose coroutine ends with `body`, and return how to start it."""
    script = directory / f"worker{len(os.listdir(directory))}.py"
    script.write_text(PROLOGUE + body + EPILOGUE)
    return [sys.executable, str(script)]


def shell_command(files: Mapping[str, Path], script: str = STAYS_ON) -> list[str]:
    """Return how to start a worker of shell that does what `script` says."""
    names = "".join(f"{name}={shlex.quote(str(path))}; " for name, path in files.items())
    return ["/bin/sh", "-c", names + TOLD + script]


def assignment(counters: SharedCounters, worker: int = 0, row: int = FIRST_WORKER, **options: Any) -> Assignment:
    """Return an assignment."""
    return Assignment(
        service="an-example",
        version="1.2.3",
        worker=worker,
        row=row,
        rows=counters.rows,
        counters_fd=counters.fd,
        listener_fds=[],
        inherited_fds=[],
        log=LogOptions(level="warning", format="json", fd=2),
        options=options,
    )


class Team:
    """A supervisor and its workers, which are killed at the end of the block."""

    def __init__(self, start: list[str], counters: SharedCounters, events: Events, workers: int, mended: Path) -> None:
        """Supervise `workers` processes of the command `start`; `mend` makes the file `mended`."""
        self.counters = counters
        self.events = events
        self._mended = mended
        self.supervisor = Supervisor(
            command=start,
            assign=lambda worker, row: assignment(counters, worker, row),
            counters=counters,
            finalize=_settle,
            workers=workers,
            drain_seconds=5.0,
            log=events.logger,
            reloads=RELOADED,
        )

    async def __aenter__(self) -> Self:
        """Start no worker: the test does."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill all."""
        self.supervisor.kill()
        await eventually(lambda: not self.supervisor.live_rows(), "all workers to be gone")
        if self.supervisor.ended.done():
            self.supervisor.ended.exception()  # it has been seen

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that serve, by number."""
        return [self.supervisor.current[number].pid for number in sorted(self.supervisor.current)]

    async def replaced(self, before: list[int]) -> list[int]:
        """Wait until as many workers serve as before, and none of those; return their process ids."""
        await eventually(
            lambda: len(self.pids) == len(before) and not set(self.pids) & set(before), "all to be replaced"
        )
        return self.pids

    def restarts(self) -> Mapping[str, int]:
        """Return how many workers were replaced, by reason, without the reasons that did not occur."""
        row = self.counters.row(CONTROL)
        counts = {str(reason): row[SCHEMA.slot(RESTARTS, reason)] for reason in RestartReason}
        return {reason: count for reason, count in counts.items() if count}

    def reloads(self) -> list[int]:
        """Return how many reloads succeeded, and how many failed."""
        return [self.counters.row(CONTROL)[SCHEMA.slot(RELOADED, result)] for result in ReloadResult]

    def mend(self) -> None:
        """Let workers that are mendable start from now on."""
        self._mended.touch()

    def work(self) -> None:
        """Let every worker that serves take ten things."""
        for process in self.supervisor.current.values():
            self.counters.row(process.row)[SCHEMA.slot(TAKEN)] = 10

    def ready(self) -> int:
        """Return how many workers are ready, as exported."""
        return self.counters.row(CONTROL)[SCHEMA.slot(WORKERS)]

    def left(self, metric: Metric, value: str = "") -> int:
        """Return what the workers that are gone have left of a metric."""
        return self.counters.row(GONE)[SCHEMA.slot(metric, value)]


NewTeam = Callable[..., Team]


def _settle(row: "memoryview[int]") -> None:
    row[SCHEMA.slot(ENDED, "lost")] += row[SCHEMA.slot(TAKEN)] - sum(row[SCHEMA.slots(ENDED)])
