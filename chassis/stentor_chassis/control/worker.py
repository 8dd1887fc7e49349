"""The life of one data process: told what to do over its lifeline, it serves until it is told to stop."""

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import uvloop

from stentor_chassis.control.descriptors import fill_standard
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.metrics import HEARTBEAT, LOG_DROPPED, LOG_WAITING, LOOP_LAG, Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_chassis.failure import Failure
from stentor_chassis.logs.log import Log, Logger, LogOptions

BEAT_SECONDS = 0.1
LIFELINE_FD = 0  # the worker's end of the socket pair is its standard input
# A terminal sends these to the whole group. Workers are started with them blocked, and ignore them from then on.
CONTROLS_AFFAIR = (signal.SIGINT, signal.SIGHUP)
READY = b"ready\n"
DONE = b"done\n"
RETIRE = b"retire\n"  # any other word from the control process is for the service


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What the control process tells a worker, as one line of JSON over the lifeline."""

    service: str
    version: str
    worker: int
    row: int
    rows: int
    counters_fd: int
    listener_fds: list[int]
    inherited_fds: list[int]
    log: LogOptions
    options: dict[str, Any]

    @classmethod
    def read(cls, line: str) -> "Assignment":
        """Parse the line."""
        fields = json.loads(line)
        fields["log"] = LogOptions(**fields["log"])
        return cls(**fields)


class Worker:
    """What a service's code in a data process works with."""

    def __init__(
        self,
        assignment: Assignment,
        counters: SharedCounters,
        log: Logger,
        stop: asyncio.Event,
        lifeline: socket.socket,
    ) -> None:
        """Attach to what the control process assigned."""
        self.options = assignment.options
        self.listeners = [socket.socket(fileno=fd) for fd in assignment.listener_fds]
        self.counters = counters
        self.number = assignment.worker  # its place, from 0
        self.row_number = assignment.row
        self.row = counters.row(assignment.row)
        self.inherited = assignment.inherited_fds  # what the service itself shares with its workers
        self.log = log
        self.stop = stop
        self.retire = asyncio.Event()  # take on nothing new, and return from `serve` when nothing is left
        self.words: asyncio.Queue[bytes] = asyncio.Queue()  # from the control process, for the service
        self._lifeline = lifeline

    def ready(self) -> None:
        """Tell the control process that this worker serves."""
        self._tell(READY)

    def done(self) -> None:
        """Tell the control process that this worker will exit because its work is finished."""
        self._tell(DONE)

    def _tell(self, what: bytes) -> None:
        try:
            self._lifeline.send(what)
        except ConnectionError:
            self.stop.set()  # the control process is gone: end as for the end of the lifeline


Serve = Callable[[Worker], Awaitable[None]]


def run(schema: Schema, serve: Serve) -> NoReturn:
    """Run `serve` as this process's work; it returns after `worker.stop` was set, or when its work is finished.

    The event is set by SIGTERM, and by the end of the lifeline: then the control process is gone. `worker.retire` is
    set when a successor has taken over; a service that is never reloaded need not know it.
    """
    fill_standard()
    for ignored in CONTROLS_AFFAIR:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, CONTROLS_AFFAIR)
    lifeline = socket.socket(fileno=LIFELINE_FD)
    with lifeline.makefile("r", encoding="utf-8") as lines:
        line = lines.readline()
    if not line:
        sys.exit(0)  # the control process went before it said anything
    assignment = Assignment.read(line)
    counters = SharedCounters(schema, assignment.rows, assignment.counters_fd)
    row = counters.row(assignment.row)
    dropped, waiting = schema.slot(LOG_DROPPED), schema.slot(LOG_WAITING)

    def count_dropped(lines: int) -> None:
        row[dropped] += lines

    log = Log(
        assignment.log,
        service=assignment.service,
        version=assignment.version,
        worker=assignment.worker,
        on_drop=count_dropped,
        waiting=row[waiting : waiting + 1],
    )
    log.relay_libraries()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_live(serve, schema, assignment, counters, log.logger, lifeline))
    except Failure as failure:
        log.logger.error("worker.failed", message=failure.message)  # noqa: TRY400 - for a person to mend, no bug to trace
        sys.exit(1)
    except Exception:
        log.logger.exception("worker.failed")
        sys.exit(1)
    finally:
        # The loop's handler has had its use, and Python puts it away before the process has gone: a second SIGTERM, as
        # where the first went to the whole group, would end it as by a signal.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        log.flush()
    sys.exit(0)


async def _live(
    serve: Serve, schema: Schema, assignment: Assignment, counters: SharedCounters, log: Logger, lifeline: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.set_exception_handler(lambda _loop, context: _log_exception(log, context))

    unfinished = b""

    def hear() -> None:
        nonlocal unfinished
        try:
            heard = lifeline.recv(64)
        except ConnectionResetError:  # it went without reading what we said
            heard = b""
        *lines, unfinished = (unfinished + heard).split(b"\n")
        for line in lines:
            if line == RETIRE.rstrip():
                worker.retire.set()
            else:
                worker.words.put_nowait(line)
        if not heard:
            loop.remove_reader(LIFELINE_FD)
            log.warning("worker.orphaned")
            stop.set()

    worker = Worker(assignment, counters, log, stop, lifeline)
    lifeline.setblocking(False)
    loop.add_reader(LIFELINE_FD, hear)
    heart = Heart(schema, worker.row)
    heart.beat()
    try:
        await serve(worker)
    finally:
        heart.stop()
        loop.remove_reader(LIFELINE_FD)


def _log_exception(log: Logger, context: dict[str, Any]) -> None:
    """Log what a callback raised: a bug, which must not go by in silence."""
    log.error("worker.exception", message=context.get("message"), exc_info=context.get("exception"))


class Heart:
    """Beats in the worker's row, and measures how late the loop runs it."""

    def __init__(self, schema: Schema, row: "memoryview[int]") -> None:
        """Beat in `row`."""
        self._row = row
        self._slot = schema.slot(HEARTBEAT)
        self._lag = schema.histogram(LOOP_LAG, row)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = time.perf_counter_ns()

    def beat(self) -> None:
        """Beat once and plan the next."""
        now = time.perf_counter_ns()
        self._lag.observe(now - self._due)
        self._row[self._slot] += 1
        self._due = now + int(BEAT_SECONDS * NANOSECONDS)
        self._timer = self._loop.call_later(BEAT_SECONDS, self.beat)

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
