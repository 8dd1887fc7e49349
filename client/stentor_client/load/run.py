"""The control process of a load: starts the workers together, watches their counts, and sums them up."""

import asyncio
import math
import signal
import time
from collections.abc import Callable
from dataclasses import asdict

from stentor_chassis.control.process import PYTHON, WorkerProcess
from stentor_chassis.control.worker import Assignment
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_chassis.counters.shared_counters import FIRST_WORKER, SharedCounters
from stentor_chassis.failure import INTERNAL_ERROR, Failure
from stentor_chassis.logs.log import LogOptions
from stentor_client import NAME, __version__
from stentor_client.account import Account
from stentor_client.load.metrics import SCHEMA
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.series import Series
from stentor_client.wire.connection import Connection
from stentor_client.wire.dialer import Dialer

COMMAND = (*PYTHON, "-m", "stentor_client.load.worker")
MOST_SLICES = 120
LEAST_SLICE_SECONDS = 0.25
LOOK_SECONDS = 0.25
LEAD_SECONDS = 0.05  # from the word to start to the start: by then every worker has it
GRACE_SECONDS = 5.0  # beyond the time-outs, for workers to end


class Run:
    """One load, from the first connection to the last reply."""

    def __init__(
        self, options: LoadOptions, log: LogOptions, watch: Callable[[float, list[int]], None] | None = None
    ) -> None:
        """`watch` receives, several times a second, the seconds since the start and all counts."""
        self._options = options
        self._log = log
        self._watch = watch
        self._counters = SharedCounters(SCHEMA, FIRST_WORKER + options.workers)
        self._processes: list[WorkerProcess] = []
        self._start = 0
        self._stopped = math.inf  # when a signal ended it, in seconds
        self.addresses: list[str] = []  # of the target, before the load began
        self.series = Series()
        self._slice_seconds = max(LEAST_SLICE_SECONDS, options.duration_seconds / MOST_SLICES)
        self._slice_end = self._slice_seconds  # from the end of the warm-up
        self.interrupted_by = 0  # the signal, if one ended it
        self.measured_seconds = 0.0
        self.failure = ""  # why the counts are incomplete, in one line

    @property
    def totals(self) -> list[int]:
        """All counts, of all workers together."""
        return self._counters.read({worker: [FIRST_WORKER + worker] for worker in range(self._options.workers)})[0]

    async def run(self) -> None:
        """Run it to the end, or until a signal.

        Raises:
            Failure: the target cannot be reached, or a worker does not start.

        """
        await self._try()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt, number)
        try:
            try:
                for worker in range(self._options.workers):
                    self._processes.append(self._launch(worker))
            except OSError as error:
                raise Failure(INTERNAL_ERROR, f"cannot start a worker of the load: {error.strerror}") from error
            started = all(await asyncio.gather(*(process.started for process in self._processes)))
            if self.interrupted_by:  # before it began
                return
            if not started:
                raise Failure(INTERNAL_ERROR, "a worker of the load did not start: see the log above")
            await self._watch_over()
        finally:
            for process in self._processes:
                process.kill()
            await asyncio.gather(*(process.exited for process in self._processes))

    async def _try(self) -> None:
        """Connect once: this reports a target that cannot be reached in one line, not a thousand."""
        connection, record = await Dialer(self._options.dial).dial(lambda: Connection(Account()))
        self.addresses = sorted({str(endpoint) for endpoint in record.endpoints})
        await connection.close()

    def _launch(self, worker: int) -> WorkerProcess:
        assignment = Assignment(
            service=NAME,
            version=__version__,
            worker=worker,
            row=FIRST_WORKER + worker,
            rows=self._counters.rows,
            counters_fd=self._counters.fd,
            listener_fds=[],
            inherited_fds=[self._log.fd] if self._log.fd > 2 else [],
            log=self._log,
            options={**asdict(self._options), "addresses": self.addresses},
        )
        return WorkerProcess(COMMAND, assignment, on_ready=lambda _: None, on_exit=lambda _: None)

    async def _watch_over(self) -> None:
        options = self._options
        self._start = time.perf_counter_ns() + int(LEAD_SECONDS * NANOSECONDS)
        for process in self._processes:
            process.send(b"%d\n" % self._start)
        exited = [asyncio.ensure_future(process.exited) for process in self._processes]
        # The last exchange may wait for a connection for a whole time-out, and for its reply for another.
        patience = options.whole_seconds + 2 * options.timeout_seconds + options.dial.connect_timeout_seconds
        while not all(future.done() for future in exited):
            await asyncio.wait(exited, timeout=self._pause())
            self._look()
            gone = any(process.exited.done() and not process.done for process in self._processes)
            if (gone and not self.interrupted_by) or self._seconds() > patience + GRACE_SECONDS:
                self.failure = "a worker of the load was lost, see the log above: its counts are incomplete"
                return

    def _pause(self) -> float:
        """Return how long to wait for the next look, at the latest until the slice ends."""
        options = self._options
        left = options.warmup_seconds + min(self._slice_end, options.duration_seconds) - self._seconds()
        return min(left, LOOK_SECONDS) if left > 0 else LOOK_SECONDS

    def _look(self) -> None:
        """Read the counts, if a slice ends or somebody watches: on a worker's core this delays its sends."""
        options = self._options
        seconds = self._seconds()
        measured = min(seconds, options.whole_seconds, self._stopped) - options.warmup_seconds
        self.measured_seconds = max(0.0, measured)
        if measured >= self._slice_end or seconds >= options.whole_seconds:
            self.series.look(int(measured * NANOSECONDS), self.totals)
            self._slice_end = (measured // self._slice_seconds + 1) * self._slice_seconds
        if self._watch is not None:
            self._watch(seconds, self.totals)

    def _seconds(self) -> float:
        return (time.perf_counter_ns() - self._start) / NANOSECONDS

    def _interrupt(self, number: int) -> None:
        self._stopped = min(self._stopped, self._seconds())
        for process in self._processes:
            if self.interrupted_by:  # for the second time
                process.kill()
            else:
                process.terminate()
        self.interrupted_by = number
