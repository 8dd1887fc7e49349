"""The control process of a load."""

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from lying import LyingServer, flip
from stentor_chassis.control.process import WorkerProcess
from stentor_chassis.failure import INTERNAL_ERROR, Failure
from stentor_chassis.logs.log import LogOptions
from stentor_client.load import run as run_module
from stentor_client.load.metrics import LATE_MOST, MEASURED, SCHEMA
from stentor_client.load.run import Run
from stentor_client.verify.outcomes import Outcome
from unit.client.load.loading import level, load_options
from unit.client.probing import honest

LOG = LogOptions(level="error", format="json", fd=2)


def _run(target: str, watch: Callable[..., None] = lambda *_: None, **changes: Any) -> Run:
    run = Run(load_options(target, **changes), LOG, watch)
    asyncio.run(run.run())
    return run


def test_workers_together() -> None:
    """What two workers count is the whole, and it is looked at while it grows."""
    looks: list[int] = []

    def watch(_seconds: float, totals: list[int], _latest: object) -> None:
        looks.append(totals[SCHEMA.slot(MEASURED, Outcome.OK)])

    with LyingServer(honest) as server:
        run = _run(server.target, watch, workers=2, rate=level(200), duration_seconds=0.8)
    assert run.totals[SCHEMA.slot(MEASURED, Outcome.OK)] == 160
    assert run.measured_seconds == pytest.approx(0.8)
    assert (looks[-1], looks == sorted(looks), len(set(looks)) > 2) == (160, True, True)
    assert sum(each.throughput * (each.end_seconds - each.begin_seconds) for each in run.series.slices) <= 160.5
    assert run.totals[SCHEMA.slot(LATE_MOST)] >= 0


@pytest.mark.parametrize(
    ("duration", "ends"), [(1.0, [0.25, 0.5, 0.75, 1.0]), (0.6, [0.25, 0.5, 0.6]), (60.0, [0.5, 1.0, 1.5])]
)
def test_slices_are_equally_long(monkeypatch: pytest.MonkeyPatch, duration: float, ends: list[float]) -> None:
    """Each slice ends where it should, whenever the load began; after the last one there is no hurry."""
    run = Run(load_options("127.0.0.1:1", warmup_seconds=0.1, duration_seconds=duration), LOG)
    now = -0.05
    monkeypatch.setattr(run, "_seconds", lambda: now)
    while len(run.series.slices) < len(ends):
        assert run._pause() <= run_module.LOOK_SECONDS
        now += run._pause() + 1e-6
        run._look()
    assert [each.end_seconds for each in run.series.slices] == pytest.approx(ends, abs=1e-3)
    if ends[-1] == duration:
        now += 1.0
        assert run._pause() == run_module.LOOK_SECONDS


def test_target_is_tried_first() -> None:
    """What is wrong with the target is said once, before anything is started."""
    with pytest.raises(Failure) as failure:
        _run("127.0.0.1:1")
    assert (failure.value.code, failure.value.message) == (3, "refused: 127.0.0.1:1: Connection refused")


def test_failures_are_counted() -> None:
    """What fails is among the counts, by outcome."""
    with LyingServer(flip) as server:
        run = _run(server.target, rate=level(50))
    assert run.totals[SCHEMA.slot(MEASURED, Outcome.MISMATCH)] == 10


def test_worker_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no room for another worker, one line says so, and those before it have ended by then."""
    started: list[WorkerProcess] = []

    def second_fails(*args: Any, **kwargs: Any) -> WorkerProcess:
        if started:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        started.append(WorkerProcess(*args, **kwargs))
        return started[0]

    monkeypatch.setattr(run_module, "WorkerProcess", second_fails)
    with LyingServer(honest) as server, pytest.raises(Failure) as failure:
        _run(server.target, workers=2)
    assert failure.value.code == INTERNAL_ERROR
    assert failure.value.message == "cannot start a worker of the load: Too many open files"
    assert started[0].exited.result() == -signal.SIGKILL


def test_worker_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that ends before it is ready ends the load."""
    monkeypatch.setattr(run_module, "COMMAND", ("false",))
    with LyingServer(honest) as server, pytest.raises(Failure, match="did not start"):
        _run(server.target)


def test_lost_worker_leaves_what_was_counted() -> None:
    """Where a worker is lost in the middle, what was counted is there to be told, and that it is not the whole."""
    runs: list[Run] = []

    def kill_one(seconds: float, *_: object) -> None:
        if seconds > 0.3:
            runs[0]._processes[1].kill()

    with LyingServer(honest) as server:
        runs.append(Run(load_options(server.target, workers=2, rate=level(200), duration_seconds=30.0), LOG, kill_one))
        asyncio.run(runs[0].run())
    assert "worker" in runs[0].failure
    assert runs[0].totals[SCHEMA.slot(MEASURED, Outcome.OK)] > 0
