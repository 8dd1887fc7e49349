"""The snapshots of a live page."""

import asyncio

import pytest

from stentor_chassis.counters.shared_counters import CONTROL, FIRST_WORKER, SharedCounters
from stentor_chassis.page import history as history_module
from stentor_chassis.page.history import INTERVAL_SECONDS, WINDOW_SECONDS, History
from stentor_chassis.page.view import Chart, Line, View
from unit.chassis.example import NEWEST, SCHEMA, TAKEN, NewCounters
from unit.looping import eventually

VIEW = View(charts=(Chart("Things", (Line("taken", TAKEN), Line("newest", NEWEST))),))
TAKEN_COLUMN, NEWEST_COLUMN = 1, 2  # after the age


@pytest.fixture
def counters(new_counters: NewCounters) -> SharedCounters:
    """Counters for two workers, and one that retired."""
    return new_counters(SCHEMA, FIRST_WORKER + 3)


def _history(counters: SharedCounters) -> History:
    return History(counters, lambda: {0: [FIRST_WORKER], 1: [FIRST_WORKER + 1, FIRST_WORKER + 2]}, VIEW)


def _column(history: History, column: int = TAKEN_COLUMN, since: int = 0) -> list[float]:
    return [snapshot[column] for snapshot in history.since(since)["snapshots"]]


def test_snapshots_of_all_rows(counters: SharedCounters) -> None:
    """The first snapshot is made at the start; rows are merged, so that no counter falls when a worker exits."""
    for times, row in enumerate((CONTROL, FIRST_WORKER, FIRST_WORKER + 1, FIRST_WORKER + 2), start=1):
        counters.row(row)[SCHEMA.slot(TAKEN)] = 10**times
        counters.row(row)[SCHEMA.slot(NEWEST)] = times
    history = _history(counters)
    counters.absorb(FIRST_WORKER)
    history.take()
    assert (_column(history), _column(history, NEWEST_COLUMN)) == ([11110, 11110], [4, 4])
    told = history.since(0)
    assert 0 <= told["snapshots"][0][0] <= told["snapshots"][1][0] < 60
    assert (told["interval_seconds"], told["window_seconds"]) == (INTERVAL_SECONDS, WINDOW_SECONDS)
    assert told["view"]["charts"][0]["title"] == "Things"


def test_window(counters: SharedCounters) -> None:
    """Snapshots keep their numbers when older ones are dropped."""
    history = _history(counters)
    most = int(WINDOW_SECONDS / INTERVAL_SECONDS) + 1

    def take(numbers: range) -> None:
        for number in numbers:
            counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = number << 40
            history.take()

    take(range(1, most))
    assert _column(history) == [number << 40 for number in range(most)]
    take(range(most, 4 * most))
    assert _column(history) == [number << 40 for number in range(3 * most, 4 * most)]
    assert history.since(0)["next"] == 4 * most
    assert _column(history, since=2 * most) == _column(history)
    assert _column(history, since=4 * most - 1) == [(4 * most - 1) << 40]
    assert _column(history, since=4 * most) == _column(history, since=40 * most) == []


async def test_run(counters: SharedCounters, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a snapshot for every interval."""
    monkeypatch.setattr(history_module, "INTERVAL_SECONDS", 0.01)
    history = _history(counters)
    running = asyncio.ensure_future(history.run())
    counters.row(FIRST_WORKER)[SCHEMA.slot(TAKEN)] = 5
    await eventually(lambda: history.since(0)["next"] >= 4, "snapshots")
    assert _column(history)[:4] == [0, 5, 5, 5]
    running.cancel()
