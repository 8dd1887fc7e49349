"""The data process of a load."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from lying import LyingServer
from stentor_client.load.arrivals import Rate
from stentor_client.load.metrics import MEASURED, OPEN_MOST, OPEN_TIME, PROCESSOR, SCHEMA
from stentor_client.load.worker import serve
from stentor_client.verify.outcomes import Outcome
from unit.client.load.loading import load_options
from unit.client.probing import honest
from unit.looping import Events, eventually

NewWorker = Callable[..., Any]


@pytest.fixture
async def new_worker(events: Events) -> AsyncIterator[NewWorker]:
    """Makes what a worker process works with, and a server that answers it."""
    with LyingServer(honest) as server:

        def make(**changes: Any) -> Any:
            said: list[str] = []
            return SimpleNamespace(
                options={**asdict(load_options(server.target, **changes)), "addresses": [server.target]},
                number=0,
                row=[0] * SCHEMA.row_slots,
                log=events.logger,
                stop=asyncio.Event(),
                messages=asyncio.Queue(),
                said=said,
                ready=lambda: said.append("ready"),
                done=lambda: said.append("done"),
            )

        yield make


@pytest.mark.parametrize("rate", [None, Rate(200, 200)])
async def test_waits_for_the_common_start(new_worker: NewWorker, rate: Rate | None) -> None:
    """A worker connects, says that it is ready, sends nothing before the start, and says that it is done."""
    worker = new_worker(rate=rate)
    serving = asyncio.create_task(serve(worker))
    await eventually(lambda: "ready" in worker.said, "it to be ready")
    assert not serving.done()
    start = time.perf_counter_ns() + 20_000_000
    worker.messages.put_nowait(b"%d" % start)
    await serving
    assert worker.said == ["ready", "done"]
    assert time.perf_counter_ns() - start >= 200_000_000  # it ran for the whole duration
    good = worker.row[SCHEMA.slot(MEASURED, Outcome.OK)]
    assert good == 40 if rate else good > 0
    assert worker.row[SCHEMA.slot(PROCESSOR)] > 0
    # All three were open for the whole time, and are counted for no longer.
    assert (worker.row[SCHEMA.slot(OPEN_TIME)], worker.row[SCHEMA.slot(OPEN_MOST)]) == (3 * 200_000_000, 3)


@pytest.mark.parametrize("started", [False, True])
async def test_stopped(new_worker: NewWorker, *, started: bool) -> None:
    """A worker that must stop ends, before the start or after it."""
    worker = new_worker(duration_seconds=3600.0)
    serving = asyncio.create_task(serve(worker))
    await eventually(lambda: "ready" in worker.said, "it to be ready")
    if started:
        worker.messages.put_nowait(b"%d" % time.perf_counter_ns())
        await eventually(lambda: worker.row[SCHEMA.slot(MEASURED, Outcome.OK)], "a reply")
    worker.stop.set()
    await serving
    assert worker.said == ["ready", "done"]
