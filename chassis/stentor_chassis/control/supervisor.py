"""Supervision of a service's workers: it starts, watches, replaces and stops them."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field

from stentor_chassis.back_off import exponential_back_off
from stentor_chassis.control.process import State, WorkerProcess
from stentor_chassis.control.worker import Assignment
from stentor_chassis.counters.metrics import (
    HEARTBEAT,
    LOG_DROPPED,
    LOG_WAITING,
    RESTARTS,
    WORKERS,
    Counter,
    ReloadResult,
    RestartReason,
)
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.failure import COULD_NOT_START, Failure, shortage
from stentor_chassis.logs.log import Logger

CHECK_SECONDS = 0.5
MISSED_BEATS = 10  # checks in a row without a heartbeat; not a time, so that a paused container loses no worker
START_SECONDS = 30.0
START_ATTEMPTS = 5
BACKOFF_SECONDS = 0.1
BACKOFF_MOST_SECONDS = 5.0
STEADY_SECONDS = 10.0  # a worker that lived this long is replaced without a pause
STOP_GRACE_SECONDS = 1.0  # in addition to the drain timeout, which the worker itself observes


@dataclass(eq=False, kw_only=True)
class Supervisor:
    """Starts `workers` processes and keeps that many serving until `drain` or `kill`."""

    command: Sequence[str]
    assign: Callable[[int, int], Assignment]  # from the numbers of a worker and its row
    counters: SharedCounters
    finalize: Callable[["memoryview[int]"], None]  # settles the row of an exited worker
    workers: int
    drain_seconds: float
    log: Logger
    reloads: Counter | None = None  # counts reloads by `ReloadResult`
    current: dict[int, WorkerProcess] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Begin without workers."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._row = self.counters.row(CONTROL)
        self._processes: set[WorkerProcess] = set()
        self._free_rows = list(range(self.counters.rows - 1, FIRST_WORKER - 1, -1))
        self._launching = [asyncio.Lock() for _ in range(self.workers)]
        self._finished: set[int] = set()  # numbers of workers whose work is done
        self._quick_deaths: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation = 0  # how many reloads were requested
        self._reloading = False
        self._stopping = False

    async def start(self) -> None:
        """Start every worker and return when all are ready; raise `Failure` if one does not start."""
        self._run(self._watch())
        await asyncio.gather(*(self._launch(number, patient=False) for number in range(self.workers)))

    def reload(self) -> None:
        """Replace the workers one by one; requests during a reload lead to one more afterwards."""
        self._generation += 1
        if not self._reloading and not self._stopping:
            self._reloading = True
            self._run(self._reload())

    async def drain(self) -> None:
        """Ask all workers to drain and exit, and wait for them; kill those that exceed the drain timeout."""
        self._stop_supervising()
        await asyncio.gather(*(self._stop(process) for process in list(self._processes)))

    def kill(self) -> None:
        """Kill all workers."""
        self._stop_supervising()
        for process in self._processes:
            process.kill()

    def live_rows(self) -> dict[int, list[int]]:
        """Return the rows in use by worker number; a retired worker has the number of its successor."""
        rows: dict[int, list[int]] = {}
        for process in sorted(self._processes, key=lambda process: process.number):
            rows.setdefault(process.number, []).append(process.row)
        return rows

    def pids(self) -> dict[str, int]:
        """Return the ids of `control`, `worker0` and so on; a retired worker is left out if it has a successor."""
        ordered = sorted(self._processes, key=lambda process: process.launched)
        return {"control": os.getpid(), **{f"worker{process.number}": process.pid for process in ordered}}

    def status(self) -> list[dict[str, object]]:
        """Return number, process id and state of every worker."""
        ordered = sorted(self._processes, key=lambda process: (process.number, process.pid))
        return [{"worker": process.number, "pid": process.pid, "state": process.state} for process in ordered]

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self.ended.done():
            self.ended.set_exception(error)

    def _stop_supervising(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def _launch(self, number: int, generation: int = 0, *, patient: bool = True) -> None:
        """Start worker `number` and wait until it is ready, unless one serves that is not older than `generation`.

        A predecessor serves until then.

        Raises:
            Failure: all attempts failed; with `patient` only if no other worker serves.

        """
        async with self._launching[number]:
            attempt = 0
            while attempt < START_ATTEMPTS or (patient and self.current):
                if attempt:
                    await self._back_off(attempt)
                if self._stopping or self._has(number, generation) or await self._started(number):
                    return
                attempt += 1
                if attempt == START_ATTEMPTS and generation:
                    self._report_reload(ReloadResult.FAILED)
        raise Failure(COULD_NOT_START, f"worker {number} did not start in {START_ATTEMPTS} attempts; the log says why")

    def _has(self, number: int, generation: int) -> bool:
        if number in self._finished:
            return True
        return number in self.current and self.current[number].generation >= generation

    async def _started(self, number: int) -> bool:
        """Make one attempt to start a worker; return whether it became ready."""
        row = self._free_rows.pop()
        try:
            process = WorkerProcess(
                self.command, self.assign(number, row), on_ready=self._on_ready, on_exit=self._on_exit
            )
        except OSError as error:  # the system lacks processes, descriptors or memory
            self._free_rows.append(row)
            failed = f"{error.filename}: {error.strerror}" if error.filename else f"a process: {shortage(error.errno)}"
            self.log.error("worker.failed", worker=number, message=f"cannot start {failed}")  # noqa: TRY400 - not a bug
            return False
        process.generation = self._generation
        self._processes.add(process)
        with contextlib.suppress(TimeoutError):
            if await asyncio.wait_for(asyncio.shield(process.started), START_SECONDS):
                # It may have exited since, which is an error unless its work is done.
                return process.done or not process.exited.done()
        process.kill(RestartReason.START_TIMEOUT)
        await process.exited
        return False

    def _on_ready(self, process: WorkerProcess) -> None:
        predecessor = self.current.get(process.number)
        self.current[process.number] = process
        self._count_workers()
        self.log.info("worker.started", worker=process.number, pid=process.pid)
        if predecessor is not None and not self._stopping:
            self._count_restart(RestartReason.RELOAD)
            predecessor.retire()
            self.log.info("worker.retired", worker=process.number, pid=predecessor.pid)

    def _on_exit(self, process: WorkerProcess) -> None:
        row, schema = self.counters.row(process.row), self.counters.schema
        row[schema.slot(LOG_DROPPED)] += row[schema.slot(LOG_WAITING)]
        self.finalize(row)
        self.counters.absorb(process.row)
        self._free_rows.append(process.row)
        self._processes.discard(process)
        emit = self.log.info if process.exit_expected() else self.log.error
        emit("worker.exited", worker=process.number, pid=process.pid, code=process.exited.result())
        if not self._stopping and not process.started.result():
            self._count_restart(process.restart_reason())  # the next attempt replaces it
        if self.current.get(process.number) is not process:
            return  # its successor serves already, or it never became ready
        del self.current[process.number]
        self._count_workers()
        if process.done:
            self._finished.add(process.number)
            if len(self._finished) == self.workers and not self.ended.done():
                self.ended.set_result(None)
        elif not self._stopping:
            self._count_restart(process.restart_reason())
            self._run(self._replace(process))

    async def _replace(self, process: WorkerProcess) -> None:
        quick = time.monotonic() - process.launched < STEADY_SECONDS
        deaths = self._quick_deaths.get(process.number, 0) + 1 if quick else 0
        self._quick_deaths[process.number] = deaths
        if deaths > 1:
            await self._back_off(deaths - 1)
        await self._launch(process.number)

    async def _back_off(self, failures: int) -> None:
        await asyncio.sleep(exponential_back_off(failures, BACKOFF_SECONDS, BACKOFF_MOST_SECONDS))

    async def _reload(self) -> None:
        """Replace every worker that may have read the files before the last request.

        That includes one that was starting then. The reload is complete when no predecessor accepts connections.
        """
        complete = 0
        while complete < self._generation:
            generation = self._generation
            # There are two rows per worker number, so workers that retired earlier must stop first. They stop together,
            # because each may need the whole drain timeout.
            await asyncio.gather(*(self._stop(each) for each in self._processes if each.state is State.RETIRED))
            for number in range(self.workers):
                await self._launch(number, generation)
            if accepting := [each.stopped_accepting for each in self._processes if each.state is State.RETIRED]:
                await asyncio.wait(accepting)
            complete = generation
            self._report_reload(ReloadResult.OK)
        self._reloading = False

    def _report_reload(self, result: ReloadResult) -> None:
        if self.reloads is not None:
            self._row[self.counters.schema.slot(self.reloads, result)] += 1
        if result is ReloadResult.OK:
            self.log.info("reload.completed", workers=len(self.current))
        else:
            self.log.error("reload.failed", message=f"no successor started in {START_ATTEMPTS} attempts; more follow")

    async def _stop(self, process: WorkerProcess) -> None:
        process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(process.exited), self.drain_seconds + STOP_GRACE_SECONDS)
        except TimeoutError:
            self._kill_unresponsive(process)
            await process.exited

    async def _watch(self) -> None:
        """Kill workers whose heartbeat has stopped."""
        slot = self.counters.schema.slot(HEARTBEAT)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for process in list(self._processes):
                beats = self.counters.row(process.row)[slot]
                stalled = process.state is not State.STARTING and beats == process.beats
                process.missed_beats = process.missed_beats + 1 if stalled else 0
                process.beats = beats
                if process.missed_beats >= MISSED_BEATS:
                    self._kill_unresponsive(process)
            if os.getpid() == 1:
                self._reap_orphans()

    def _kill_unresponsive(self, process: WorkerProcess) -> None:
        self.log.error("worker.hung", worker=process.number, pid=process.pid)
        process.kill(RestartReason.HEARTBEAT)

    def _reap_orphans(self) -> None:
        """Reap a process that the kernel made a child of process 1; workers are reaped as they exit."""
        with contextlib.suppress(ChildProcessError):
            exited = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if exited is not None and exited.si_pid not in {process.pid for process in self._processes}:
                os.waitpid(exited.si_pid, os.WNOHANG)

    def _count_restart(self, reason: RestartReason) -> None:
        self._row[self.counters.schema.slot(RESTARTS, reason)] += 1

    def _count_workers(self) -> None:
        self._row[self.counters.schema.slot(WORKERS)] = len(self.current)
