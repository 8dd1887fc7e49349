"""Fixtures of the client's unit tests."""

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import uvloop

from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_client.metrics import SCHEMA
from unit.client.probing import NewProbing, Probing
from unit.looping import Events, watched

Replace = Callable[[int, int], None]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run async tests as the client runs."""
    return {"uvloop": partial(watched, uvloop.new_event_loop)}


@pytest.fixture
def probing(new_counters: Callable[[Schema, int], SharedCounters], events: Events) -> NewProbing:
    """Makes probes; to be called within the loop."""
    return lambda target, **changes: Probing(target, new_counters(SCHEMA, 2), events, **changes)


@pytest.fixture
def replace() -> Iterator[Replace]:
    """Puts a descriptor in the place of a standard one."""
    kept = {fd: os.dup(fd) for fd in (0, 1)}

    def put(fd: int, other: int) -> None:
        os.dup2(other, fd)
        os.close(other)

    yield put
    for fd, copy in kept.items():
        put(fd, copy)
