"""The control process: it owns the sockets, the counters and the workers, and never handles data itself."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stentor_chassis.control.listeners import Listeners
from stentor_chassis.control.process import PYTHON, State
from stentor_chassis.control.supervisor import Supervisor
from stentor_chassis.control.terminable import terminal_lost
from stentor_chassis.control.worker import Assignment
from stentor_chassis.counters.collector import registry
from stentor_chassis.counters.metrics import LOG_DROPPED, Counter, Schema
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.failure import INTERRUPTED, OK
from stentor_chassis.logs.log import Log, LogOptions
from stentor_chassis.page.history import History
from stentor_chassis.page.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The description of a service, for its control process."""

    name: str
    version: str
    schema: Schema
    worker_module: str  # run as `python -m` for each data process
    view: View = field(default_factory=View)  # of the live page
    reloads: Counter | None = None  # counts reloads by `ReloadResult`; without it, SIGHUP is ignored
    # Settles the row of a worker that has exited.
    finalize: Callable[["memoryview[int]"], None] = lambda _row: None
    # Events and their keys, logged as warnings when the service is ready.
    warnings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """Options of every control process."""

    workers: int
    drain_seconds: float
    shutdown_delay_seconds: float = 0.0  # between SIGTERM and the drain
    admin_host: str
    admin_port: int
    admin_names: Sequence[str] = ()  # host names of the admin endpoint, besides its host and addresses
    log: LogOptions


class Control:
    """Runs a service from start to exit."""

    def __init__(
        self,
        service: Service,
        options: ControlOptions,
        listeners: Listeners,
        config: Mapping[str, Any],
        inherited: Sequence[int] = (),
    ) -> None:
        """Workers receive `config`, plain data that `/status` also shows, and the descriptors `inherited`."""
        self._service = service
        self._options = options
        self._listeners = listeners
        self._config = dict(config)
        self._inherited = inherited
        self._state = State.STARTING
        self.finished = False  # the workers exited because their work was done
        self._started = time.time()
        self._clock = time.monotonic()
        # Two rows for each worker: one is for its retired predecessor.
        self.counters = SharedCounters(service.schema, FIRST_WORKER + 2 * options.workers)
        dropped = self.counters.row(CONTROL)[service.schema.slots(LOG_DROPPED)]
        self._log = Log(options.log, service=service.name, version=service.version, dropped=dropped)

    def run(self) -> int:
        """Serve until a signal or until the work is finished; return the exit code."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until a handler is set
        self._log.relay_libraries()
        try:
            return asyncio.run(self._serve())
        finally:
            self._log.flush()

    async def _serve(self) -> int:
        # aiohttp is slow to import, and --help needs none of it.
        from stentor_chassis.admin.endpoint import Admin  # noqa: PLC0415
        from stentor_chassis.page.routes import routes  # noqa: PLC0415

        log, name = self._log.logger, self._service.name.rpartition("-")[2]
        supervisor = Supervisor(
            command=[*PYTHON, "-m", self._service.worker_module],
            assign=self._assign,
            counters=self.counters,
            finalize=self._service.finalize,
            workers=self._options.workers,
            drain_seconds=self._options.drain_seconds,
            log=log,
            reloads=self._service.reloads,
        )
        stop_signal = asyncio.get_running_loop().create_future()
        self._hurried = asyncio.get_running_loop().create_future()  # done from the end of the shutdown delay on
        self._handle_signals(supervisor, stop_signal)
        exported = registry(self.counters, self._service.version, supervisor.live_rows, supervisor.pids)
        history = History(self.counters, supervisor.live_rows, self._service.view)

        def ready() -> bool:
            return self._state is State.READY and bool(supervisor.current)

        def recent(number: int) -> dict[str, Any]:
            return {**self._status(supervisor), "ready": ready(), **history.since(number)}

        admin = Admin(exported, ready, lambda: self._status(supervisor), routes(self._service.name, recent))
        admin_url = await admin.start(self._options.admin_host, self._options.admin_port, self._options.admin_names)
        tasks = asyncio.ensure_future(supervisor.start()), asyncio.ensure_future(history.run())
        starting, remembering = tasks
        try:
            await _first(starting, supervisor.ended, remembering, stop_signal)
            if not stop_signal.done():
                self._state = State.READY
                for event, facts in self._service.warnings.items():
                    log.warning(event, **facts)
                log.info(
                    f"{name}.ready",
                    addresses=self._listeners.addresses,
                    admin=admin_url,
                    workers=self._options.workers,
                )
                await _first(supervisor.ended, remembering, stop_signal)
                delay = self._options.shutdown_delay_seconds
                if delay and stop_signal.done() and stop_signal.result() == signal.SIGTERM:
                    self._state = State.DRAINING
                    log.info("drain.delayed", delay_seconds=delay)
                    await _first(supervisor.ended, remembering, self._hurried, timeout=delay)
            self.finished = not stop_signal.done()
            self._state = State.DRAINING
            self._hurried.cancel()
            self._listeners.close()
            if not self.finished:
                log.info(f"{name}.draining", timeout_seconds=self._options.drain_seconds)
            await supervisor.drain()
        finally:
            for task in tasks:
                task.cancel()
            supervisor.kill()
            await asyncio.wait(tasks)
            await admin.stop()
        log.info(f"{name}.stopped", uptime_seconds=round(time.monotonic() - self._clock, 3))
        return INTERRUPTED if stop_signal.done() and stop_signal.result() == signal.SIGINT else OK

    def _handle_signals(self, supervisor: Supervisor, stop_signal: asyncio.Future[int]) -> None:
        def stop(number: int) -> None:
            if not stop_signal.done():
                stop_signal.set_result(number)
            elif not self._hurried.done():
                self._hurried.set_result(None)
            else:
                supervisor.kill()
                self._log.flush()
                os._exit(128 + number)

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop, number)

        def hang_up() -> None:
            if terminal_lost():
                if not stop_signal.done():  # the kernel and a shell may both send it
                    stop(signal.SIGHUP)
            elif self._service.reloads:  # also during a shutdown delay
                supervisor.reload()

        loop.add_signal_handler(signal.SIGHUP, hang_up)
        if terminal_lost():  # while SIGHUP was ignored
            stop(signal.SIGHUP)

    def _assign(self, worker: int, row: int) -> Assignment:
        return Assignment(
            service=self._service.name,
            version=self._service.version,
            worker=worker,
            row=row,
            rows=self.counters.rows,
            counters_fd=self.counters.fd,
            listener_fds=self._listeners.of_worker(worker),
            inherited_fds=list(self._inherited),
            log=self._options.log,
            options=self._config,
        )

    def _status(self, supervisor: Supervisor) -> dict[str, Any]:
        return {
            "service": self._service.name,
            "version": self._service.version,
            "state": self._state,
            "started_timestamp_seconds": self._started,
            "uptime_seconds": round(time.monotonic() - self._clock, 3),
            "addresses": self._listeners.addresses,
            "health_check_sockets": self._listeners.side_doors,
            "workers": supervisor.status(),
            "config": {"workers": self._options.workers, **self._config},
        }


async def _first(*awaited: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait for the first of several; raise its exception, if any."""
    done, _ = await asyncio.wait(awaited, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for future in done:
        future.result()
