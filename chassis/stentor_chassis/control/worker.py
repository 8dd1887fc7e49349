"""A data process: it receives its assignment over its lifeline, and serves until it is asked to stop."""

import asyncio
import gc
import json
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.metrics import HEARTBEAT, LOG_DROPPED, LOG_WAITING, LOOP_LAG, Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_chassis.failure import NO_MEMORY, Failure
from stentor_chassis.logs.log import Log, Logger, LogOptions

BEAT_SECONDS = 0.1
LIFELINE_FD = 0  # the worker's end of the socket pair is its standard input
# A terminal sends these to the whole process group; only the control process handles them. Workers start with them
# blocked, and then ignore them.
TERMINAL_SIGNALS = (signal.SIGINT, signal.SIGHUP)
# Messages over the lifeline after the assignment: three from the worker, and one to it.
READY = b"ready\n"
RETIRED = b"retired\n"
DONE = b"done\n"
RETIRE = b"retire\n"  # any other message from the control process is for the service


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """The task of a worker, sent by the control process as one line of JSON over the lifeline."""

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
    """A data process, as the service's code sees it."""

    def __init__(
        self,
        assignment: Assignment,
        counters: SharedCounters,
        log: Logger,
        stop: asyncio.Event,
        lifeline: socket.socket,
    ) -> None:
        """Attach to the assigned row and listeners."""
        self.options = assignment.options
        self.listeners = [socket.socket(fileno=fd) for fd in assignment.listener_fds]
        self.counters = counters
        self.number = assignment.worker  # from 0; a successor has the same
        self.row_number = assignment.row
        self.row = counters.row(assignment.row)
        self.inherited = assignment.inherited_fds  # descriptors that the service shares with its workers
        self.log = log
        self.stop = stop
        self.retire = asyncio.Event()  # accept no connections, and return from `serve` when the last one has ended
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()  # from the control process, for the service
        self._lifeline = lifeline

    def ready(self) -> None:
        """Report to the control process that this worker serves."""
        gc.freeze()  # the collector need not visit again what exists now
        self._send(READY)

    def retired(self) -> None:
        """Report to the control process that this worker accepts no more connections because it was asked to retire."""
        self._send(RETIRED)

    def done(self) -> None:
        """Report to the control process that this worker will exit because its work is finished."""
        self._send(DONE)

    def _send(self, message: bytes) -> None:
        try:
            self._lifeline.send(message)
        except ConnectionError:
            self.stop.set()  # the control process is gone


Serve = Callable[[Worker], Awaitable[None]]


def run(schema: Schema, serve: Serve, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> NoReturn:
    """Run `serve` in the event loop that `new_loop` makes, and exit.

    `serve` returns after `worker.stop` is set, or when its work is finished.

    `worker.stop` is set by SIGTERM, and when the lifeline ends because the control process is gone. `worker.retire` is
    set when a successor serves; a service that is never reloaded can ignore it.
    """
    for ignored in TERMINAL_SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, TERMINAL_SIGNALS)
    lifeline = socket.socket(fileno=LIFELINE_FD)
    with lifeline.makefile("r", encoding="utf-8") as lines:
        line = lines.readline()
    if not line:
        sys.exit(0)  # the control process exited before it sent an assignment
    assignment = Assignment.read(line)
    counters = SharedCounters(schema, assignment.rows, assignment.counters_fd)
    row = counters.row(assignment.row)
    log = Log(
        assignment.log,
        service=assignment.service,
        version=assignment.version,
        worker=assignment.worker,
        dropped=row[schema.slots(LOG_DROPPED)],
        waiting=row[schema.slots(LOG_WAITING)],
    )
    log.relay_libraries()
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_serve(serve, schema, assignment, counters, log.logger, lifeline))
    except Failure as failure:
        log.logger.error("worker.failed", message=failure.message)  # noqa: TRY400 - a person has to fix it: no traceback
        sys.exit(1)
    except Exception as error:
        group = error if isinstance(error, ExceptionGroup) else ExceptionGroup("", [error])
        if group.split(MemoryError)[1] is None:  # nothing else failed
            log.logger.error("worker.failed", message=NO_MEMORY)  # noqa: TRY400 - no bug either
        else:
            log.logger.exception("worker.failed")
        sys.exit(1)
    finally:
        # Python removes the loop's handler before the process exits. A second SIGTERM, such as one sent to the whole
        # group, would kill the process.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        log.flush()
    sys.exit(0)


async def _serve(
    serve: Serve, schema: Schema, assignment: Assignment, counters: SharedCounters, log: Logger, lifeline: socket.socket
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.set_exception_handler(
        lambda _loop, context: log.error(
            "worker.exception", message=context.get("message"), exc_info=context.get("exception")
        )
    )
    unfinished = b""

    def read_lifeline() -> None:
        nonlocal unfinished
        try:
            received = lifeline.recv(64)
        except ConnectionResetError:  # the control process exited without reading our messages
            received = b""
        *lines, unfinished = (unfinished + received).split(b"\n")
        for line in lines:
            if line == RETIRE.rstrip():
                worker.retire.set()
            else:
                worker.messages.put_nowait(line)
        if not received:
            loop.remove_reader(LIFELINE_FD)
            log.warning("worker.orphaned")
            stop.set()

    worker = Worker(assignment, counters, log, stop, lifeline)
    lifeline.setblocking(False)
    loop.add_reader(LIFELINE_FD, read_lifeline)
    beat(schema, worker.row)
    try:
        await serve(worker)
    finally:
        loop.remove_reader(LIFELINE_FD)


def beat(schema: Schema, row: "memoryview[int]") -> None:
    """Count heartbeats in `row` as long as the event loop runs, and observe how late the loop runs them."""
    slot, lag, loop = schema.slot(HEARTBEAT), schema.observer(LOOP_LAG, row), asyncio.get_running_loop()

    def once(due: int) -> None:
        now = time.perf_counter_ns()
        lag.observe(now - due)
        row[slot] += 1
        loop.call_later(BEAT_SECONDS, once, now + int(BEAT_SECONDS * NANOSECONDS))

    once(time.perf_counter_ns())
