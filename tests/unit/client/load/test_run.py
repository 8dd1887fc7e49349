"""The control process of a load."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

from stentor_chassis.control.process import WorkerProcess
from stentor_chassis.failure import INTERNAL_ERROR, Failure
from stentor_chassis.logs.log import LogOptions
from stentor_client.load import run as run_module
from stentor_client.load.metrics import MEASURED, SCHEMA
from stentor_client.load.run import Run
from stentor_client.metrics import OPENED
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import DialOptions
from unit.client.load.loading import level, load_options

OK = SCHEMA.slot(MEASURED, Outcome.OK)


def _new(target: str, watch: Callable[..., None] | None = None, **changes: Any) -> Run:
    return Run(load_options(target, **changes), LogOptions(level="error", format="json", fd=2), watch)


async def test_workers_together(target: str) -> None:
    """The counts of two workers are the whole, and can be watched as they grow."""
    looks: list[int] = []
    run = _new(target, lambda _, totals: looks.append(totals[OK]), workers=2, rate=level(200), duration_seconds=0.8)
    await run.run()
    assert (run.totals[OK], run.totals[SCHEMA.slot(OPENED)], run.failure) == (160, 3, "")
    assert run.measured_seconds == pytest.approx(0.8)
    assert (looks[-1], looks == sorted(looks), len(set(looks)) > 2) == (160, True, True)
    assert 0 < sum(each.throughput * (each.end_seconds - each.begin_seconds) for each in run.series.slices) <= 160.5


@pytest.mark.parametrize(
    ("duration", "ends"), [(1.0, [0.25, 0.5, 0.75, 1.0]), (0.6, [0.25, 0.5, 0.6]), (60.0, [0.5, 1.0, 1.5])]
)
def test_slices_are_equally_long(monkeypatch: pytest.MonkeyPatch, duration: float, ends: list[float]) -> None:
    """Each slice ends on time, whenever the load began; after the last one there is no hurry."""
    run = _new("127.0.0.1:1", warmup_seconds=0.1, duration_seconds=duration)
    now = -0.05
    monkeypatch.setattr(run, "_seconds", lambda: now)
    while len(run.series.slices) < len(ends):
        assert run._pause() <= run_module.LOOK_SECONDS
        now += run._pause() + 1e-6
        run._look()
    assert [each.end_seconds for each in run.series.slices] == pytest.approx(ends, abs=1e-3)
    now = duration + 1.0
    assert run._pause() == run_module.LOOK_SECONDS


async def test_worker_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """If the system has no room for another worker, one line says so, and the workers before it have ended."""
    started: list[WorkerProcess] = []

    def second_fails(*args: Any, **kwargs: Any) -> WorkerProcess:
        if started:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        started.append(WorkerProcess(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(run_module, "WorkerProcess", second_fails)
    with pytest.raises(Failure, match="cannot start a worker of the load: Too many open files") as failure:
        await _new(target, workers=2).run()
    assert (failure.value.code, started[0].exited.result()) == (INTERNAL_ERROR, -signal.SIGKILL)


async def test_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """A worker that ends before it is ready ends the load."""
    monkeypatch.setattr(run_module, "COMMAND", ("false",))
    with pytest.raises(Failure, match="did not start"):
        await _new(target).run()


async def test_interrupted(target: str) -> None:
    """A signal ends a load early, with its counts."""

    def interrupt(_: float, totals: list[int]) -> None:
        if totals[OK]:
            os.kill(os.getpid(), signal.SIGTERM)

    run = _new(target, interrupt, rate=level(200), duration_seconds=3600.0)
    await run.run()
    assert (run.interrupted_by, run.failure, run.totals[OK] > 0) == (signal.SIGTERM, "", True)


async def test_lost_worker(target: str) -> None:
    """If a worker is lost, its counts remain, and the failure says that they are incomplete."""

    def kill_one(_: float, totals: list[int]) -> None:
        if totals[OK]:
            run._processes[1].kill()

    run = _new(target, kill_one, workers=2, rate=level(200), duration_seconds=3600.0)
    await run.run()
    assert run.failure == "a worker of the load was lost, see the log above: its counts are incomplete"
    assert run.totals[OK] > 0


async def test_hung_worker(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    """A worker that does not end after all time-outs is lost as well."""
    hung = "import os, time; os.write(0, b'ready\\n'); time.sleep(60)"
    monkeypatch.setattr(run_module, "COMMAND", (sys.executable, "-c", hung))
    monkeypatch.setattr(run_module, "GRACE_SECONDS", 0.1)
    dial = DialOptions(target=target, connect_timeout_seconds=0.5)
    run = _new(target, dial=dial, timeout_seconds=0.1)
    await run.run()
    assert "lost" in run.failure
