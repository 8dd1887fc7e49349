"""The snapshots behind a live page."""

import asyncio
import tracemalloc
from collections.abc import Callable

import pytest

from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.page import history as history_module
from stentor_chassis.page.history import INTERVAL_SECONDS, WINDOW_SECONDS, History
from stentor_chassis.page.view import Chart, Line, View
from unit.chassis.example import ENDED, NEWEST, SCHEMA, TAKEN
from unit.looping import eventually

NewCounters = Callable[[Schema, int], SharedCounters]
VIEW = View(charts=(Chart("Things", (Line("taken", TAKEN), Line("newest", NEWEST))),))
TAKEN_COLUMN, NEWEST_COLUMN = 1, 2  # behind the age


@pytest.fixture
def counters(new_counters: NewCounters) -> SharedCounters:
    """A counters for two workers, and one that retired."""
    return new_counters(SCHEMA, FIRST_WORKER + 3)


def _history(counters: SharedCounters) -> History:
    return History(counters, lambda: {0: [FIRST_WORKER], 1: [FIRST_WORKER + 1, FIRST_WORKER + 2]}, VIEW)


def _column(history: History, column: int = TAKEN_COLUMN, since: int = 0) -> list[float]:
    return [snapshot[column] for snapshot in history.since(since)["snapshots"]]


def test_first_snapshot(counters: SharedCounters) -> None:
    """There is a snapshot from the start: what is counted later is counted in the window."""
    told = _history(counters).since(0)
    assert (told["next"], len(told["snapshots"])) == (1, 1)
    assert 0 <= told["snapshots"][0][0] < 5
    assert (told["interval_seconds"], told["window_seconds"]) == (INTERVAL_SECONDS, WINDOW_SECONDS)
    assert told["view"]["charts"][0]["title"] == "Things"


def test_all_rows_are_merged(counters: SharedCounters) -> None:
    """A snapshot has the sum over the control process and all workers, retired ones too; or the largest."""
    for times, row in enumerate((CONTROL, FIRST_WORKER, FIRST_WORKER + 1, FIRST_WORKER + 2), start=1):
        counters.row(row)[SCHEMA.slot(TAKEN)] = 10**times
        counters.row(row)[SCHEMA.slot(NEWEST)] = times
    history = _history(counters)
    assert (_column(history), _column(history, NEWEST_COLUMN)) == ([11110], [4])


def test_workers_that_are_gone_stay_counted(counters: SharedCounters) -> None:
    """What a worker counted does not go when its row is folded: no counter ever falls."""
    counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = 7
    history = _history(counters)
    counters.absorb(FIRST_WORKER)
    history.take()
    assert _column(history) == [7, 7]


def test_only_what_is_new(counters: SharedCounters) -> None:
    """Who has seen some snapshots gets those that came after, and the number to go on with."""
    history = _history(counters)
    for taken in (1, 2, 3):
        counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = taken
        history.take()
    assert history.since(0)["next"] == 4
    assert _column(history) == [0, 1, 2, 3]
    assert _column(history, since=2) == [2, 3]
    assert _column(history, since=4) == _column(history, since=400) == []
    ages = [snapshot[0] for snapshot in history.since(0)["snapshots"]]
    assert ages == sorted(ages)


def test_old_ones_go(counters: SharedCounters) -> None:
    """What is older than the window goes, numbers stay, and memory stays within a bound."""
    history = _history(counters)
    most = int(WINDOW_SECONDS / INTERVAL_SECONDS) + 1
    for taken in range(1, most):
        counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = taken << 40  # no integers that the interpreter shares
        history.take()
    assert len(_column(history)) == most
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for taken in range(most, 4 * most):
        counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = taken << 40
        history.take()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert _column(history) == [taken << 40 for taken in range(3 * most, 4 * most)]
    assert history.since(0)["next"] == 4 * most
    assert _column(history, since=0) == _column(history, since=2 * most)
    assert _column(history, since=4 * most - 1) == [(4 * most - 1) << 40]
    assert grown < most * 8 * 100  # the ring itself, allocated anew: bytes for less than 100 integers each


async def test_taken_by_itself(counters: SharedCounters, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, a snapshot is taken at every interval."""
    monkeypatch.setattr(history_module, "INTERVAL_SECONDS", 0.01)
    history = _history(counters)
    running = asyncio.ensure_future(history.run())
    counters.row(FIRST_WORKER)[SCHEMA.slot(ENDED, "worn")] = 1
    counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = 5
    await eventually(lambda: history.since(0)["next"] >= 4, "snapshots to be taken")
    assert _column(history)[:4] == [0, 5, 5, 5]
    running.cancel()
