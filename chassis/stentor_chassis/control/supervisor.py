"""Keeps the workers of a service alive, replaces them one by one, and ends them."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Sequence

from stentor_chassis.control.process import State, WorkerProcess
from stentor_chassis.control.worker import Assignment
from stentor_chassis.counters.metrics import HEARTBEAT, LOG_DROPPED, LOG_WAITING, RESTARTS, WORKERS, RestartReason
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_chassis.logs.log import Logger

CHECK_SECONDS = 0.5
MISSED_BEATS = 10  # checks in a row without a beat; counted, not timed, so that a paused container is not blamed
START_SECONDS = 30.0
START_ATTEMPTS = 5
BACKOFF_SECONDS = 0.1
BACKOFF_MOST_SECONDS = 5.0
STEADY_SECONDS = 10.0  # a worker that lived this long is replaced at once
STOP_GRACE_SECONDS = 1.0  # on top of the drain timeout, which the worker keeps by itself


class Supervisor:
    """Starts `workers` processes and keeps that many serving until told otherwise."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        assign: Callable[[int, int], Assignment],
        counters: SharedCounters,
        settle: Callable[["memoryview[int]"], None],
        workers: int,
        drain_seconds: float,
        log: Logger,
    ) -> None:
        """`assign(worker, row)` says what to tell a worker; `settle(row)` books what a gone worker left open."""
        self.current: dict[int, WorkerProcess] = {}
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._command = command
        self._assign = assign
        self._counters = counters
        self._row = counters.row(CONTROL)
        self._settle = settle
        self._workers = workers
        self._drain_seconds = drain_seconds
        self._log = log
        self._processes: set[WorkerProcess] = set()
        self._free_rows = list(range(counters.rows - 1, FIRST_WORKER - 1, -1))
        self._launching: set[int] = set()
        self._finished: set[int] = set()  # places whose work is done
        self._quick_deaths: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloads_wanted = 0
        self._stopping = False

    async def start(self) -> None:
        """Start every worker and return when all are ready; raise `Failure` when one will not start."""
        self._run(self._watch())
        await asyncio.gather(*(self._launch(number, patient=False) for number in range(self._workers)))

    def reload(self) -> None:
        """Replace the workers one by one; asked again meanwhile, do it once more afterwards."""
        if self._stopping:
            return
        self._reloads_wanted += 1
        if self._reloads_wanted == 1:
            self._run(self._reload())

    async def drain(self) -> None:
        """Tell all workers to drain and exit, and wait for that; kill the ones that do not make it in time."""
        self._cease()
        await asyncio.gather(*(self._stop(process) for process in list(self._processes)))

    def kill(self) -> None:
        """End all workers at once."""
        self._cease()
        for process in self._processes:
            process.kill()

    def live_rows(self) -> dict[int, list[int]]:
        """Return the rows in use, by worker number; a retired worker's beside its successor's."""
        rows: dict[int, list[int]] = {}
        for process in sorted(self._processes, key=lambda process: process.number):
            rows.setdefault(process.number, []).append(process.row)
        return rows

    def pids(self) -> dict[str, int]:
        """Return the process id of each worker, by a name for it; a retired worker hides behind its successor."""
        ordered = sorted(self._processes, key=lambda process: process.launched)
        return {f"worker{process.number}": process.pid for process in ordered}

    def status(self) -> list[dict[str, object]]:
        """Return number, process id and state of every worker."""
        ordered = sorted(self._processes, key=lambda process: (process.number, process.pid))
        return [{"worker": process.number, "pid": process.pid, "state": process.state} for process in ordered]

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._end(task.exception())

    def _cease(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def _launch(self, number: int, *, patient: bool = True) -> None:
        """Put a ready worker in place `number`; the one that was there stays until then.

        After some attempts it gives up with `Failure`; with `patient` not as long as others serve, it only slows down.
        """
        self._launching.add(number)
        try:
            attempt = 0
            while attempt < START_ATTEMPTS or (patient and self.current):
                if attempt:
                    await asyncio.sleep(_backoff(attempt))
                if self._stopping or await self._started(number):
                    return
                attempt += 1
        finally:
            self._launching.discard(number)
        raise Failure(COULD_NOT_START, f"worker {number} did not start in {START_ATTEMPTS} attempts: see the log above")

    async def _started(self, number: int) -> bool:
        """Start a worker; return whether it became ready."""
        row = self._free_rows.pop()
        try:
            process = WorkerProcess(
                self._command, self._assign(number, row), on_ready=self._on_ready, on_exit=self._on_exit
            )
        except OSError as error:  # no process, descriptor or memory to be had
            self._free_rows.append(row)
            self._log.error("worker.failed", worker=number, message=str(error))
            return False
        self._processes.add(process)
        with contextlib.suppress(TimeoutError):
            if await asyncio.wait_for(asyncio.shield(process.started), START_SECONDS):
                # It may be gone already: with its work done that is well.
                return process.done or not process.exited.done()
        process.kill(RestartReason.HEARTBEAT)
        await process.exited
        return False

    def _on_ready(self, process: WorkerProcess) -> None:
        self.current[process.number] = process
        self._count_workers()
        self._log.info("worker.started", worker=process.number, pid=process.pid)

    def _on_exit(self, process: WorkerProcess) -> None:
        row, schema = self._counters.row(process.row), self._counters.schema
        row[schema.slot(LOG_DROPPED)] += row[schema.slot(LOG_WAITING)]
        self._settle(row)
        self._counters.fold(process.row)
        self._free_rows.append(process.row)
        self._processes.discard(process)
        emit = self._log.info if process.exit_expected() else self._log.error
        emit("worker.exited", worker=process.number, pid=process.pid, code=process.exited.result())
        if not self._stopping and not process.started.result():
            self._count_restart(process.restart_reason())  # the next attempt replaces it
        if self.current.get(process.number) is not process:
            return  # its successor serves already, or it never did
        del self.current[process.number]
        self._count_workers()
        if process.done:
            self._finished.add(process.number)
            if len(self._finished) == self._workers:
                self._end(None)
        elif not self._stopping:
            self._count_restart(process.restart_reason())
            if process.number not in self._launching:
                self._run(self._replace(process))

    async def _replace(self, process: WorkerProcess) -> None:
        quick = time.monotonic() - process.launched < STEADY_SECONDS
        deaths = self._quick_deaths.get(process.number, 0) + 1 if quick else 0
        self._quick_deaths[process.number] = deaths
        if deaths > 1:
            await asyncio.sleep(_backoff(deaths - 1))
        await self._launch(process.number)

    async def _reload(self) -> None:
        while self._reloads_wanted:
            self._reloads_wanted = 1
            # A place has room for two. Those retired before are ended together: in turn, each could take the whole
            # drain timeout.
            await asyncio.gather(*(self._stop(each) for each in self._processes if each.state is State.RETIRED))
            for number in range(self._workers):
                before = self.current.get(number)
                if before is None or number in self._launching:
                    continue  # it is being replaced anyway
                await self._launch(number)
                if self._stopping:
                    break
                if before.state is not State.EXITED:  # else it was counted by how it ended
                    self._count_restart(RestartReason.RELOAD)
                    before.retire()
                    self._log.info("worker.retired", worker=number, pid=before.pid)
            self._reloads_wanted -= 1

    async def _stop(self, process: WorkerProcess) -> None:
        process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(process.exited), self._drain_seconds + STOP_GRACE_SECONDS)
        except TimeoutError:
            self._kill_hung(process)
            await process.exited

    async def _watch(self) -> None:
        """Kill workers whose heart stands still."""
        beat = self._counters.schema.slot(HEARTBEAT)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for process in list(self._processes):
                beats = self._counters.row(process.row)[beat]
                stood_still = process.state is not State.STARTING and beats == process.beats
                process.missed_beats = process.missed_beats + 1 if stood_still else 0
                process.beats = beats
                if process.missed_beats >= MISSED_BEATS:
                    self._kill_hung(process)
            if os.getpid() == 1:
                self._reap_strangers()

    def _kill_hung(self, process: WorkerProcess) -> None:
        self._log.error("worker.hung", worker=process.number, pid=process.pid)
        process.kill(RestartReason.HEARTBEAT)

    def _reap_strangers(self) -> None:
        """Reap what a container's first process inherits: its own children have their own watch."""
        with contextlib.suppress(ChildProcessError):
            gone = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if gone is not None and gone.si_pid not in {process.pid for process in self._processes}:
                os.waitpid(gone.si_pid, os.WNOHANG)

    def _count_restart(self, reason: RestartReason) -> None:
        self._row[self._counters.schema.slot(RESTARTS, reason)] += 1

    def _count_workers(self) -> None:
        self._row[self._counters.schema.slot(WORKERS)] = len(self.current)

    def _end(self, error: BaseException | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


def _backoff(attempt: int) -> float:
    return min(BACKOFF_SECONDS * 2.0 ** min(attempt - 1, 10), BACKOFF_MOST_SECONDS)
