"""The data process of a load."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from lying import LyingServer
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_client.load.arrivals import Rate
from stentor_client.load.metrics import MEASURED, PROCESSOR, SCHEMA, START
from stentor_client.load.worker import serve
from stentor_client.verify.outcomes import Outcome
from unit.client.load.loading import load_options
from unit.client.probing import honest
from unit.looping import Events, eventually

NewCounters = Callable[[Schema, int], SharedCounters]


def _worker(counters: SharedCounters, events: Events, target: str, **changes: Any) -> tuple[Any, list[str]]:
    said: list[str] = []
    worker = SimpleNamespace(
        options=asdict(load_options(target, **changes)),
        number=0,
        counters=counters,
        row=counters.row(FIRST_WORKER),
        log=events.logger,
        stop=asyncio.Event(),
        ready=lambda: said.append("ready"),
        done=lambda: said.append("done"),
    )
    return worker, said


@pytest.mark.parametrize("rate", [None, Rate(200, 200)])
async def test_waits_for_the_common_start(events: Events, new_counters: NewCounters, rate: Rate | None) -> None:
    """A worker connects, says that it is ready, sends nothing before the start, and says that it is done."""

    async def scenario(target: str) -> None:
        counters = new_counters(SCHEMA, FIRST_WORKER + 1)
        worker, said = _worker(counters, events, target, rate=rate)
        serving = asyncio.create_task(serve(worker))
        await eventually(lambda: "ready" in said, "it to be ready")
        assert not serving.done()
        start = time.perf_counter_ns() + 20_000_000
        counters.row(CONTROL)[SCHEMA.slot(START)] = start
        await serving
        assert said == ["ready", "done"]
        assert time.perf_counter_ns() - start >= 200_000_000  # it ran as long as it was to
        good = worker.row[SCHEMA.slot(MEASURED, Outcome.OK)]
        assert good == 40 if rate else good > 0
        assert worker.row[SCHEMA.slot(PROCESSOR)] > 0

    with LyingServer(honest) as server:
        await scenario(server.target)


async def test_stopped_before_the_start(events: Events, new_counters: NewCounters) -> None:
    """Told to stop while it waits, a worker ends."""

    async def scenario(target: str) -> None:
        worker, said = _worker(new_counters(SCHEMA, FIRST_WORKER + 1), events, target)
        worker.stop.set()
        await serve(worker)
        assert said == ["ready", "done"]

    with LyingServer(honest) as server:
        await scenario(server.target)
