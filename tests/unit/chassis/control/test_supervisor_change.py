"""Reloading and draining."""

import asyncio
import signal

import pytest

from stentor_chassis.control import supervisor as supervisor_module
from stentor_chassis.counters.metrics import RestartReason
from unit.chassis.team import MENDABLE, READY, STAYS_ON, WAITS, NewTeam
from unit.looping import Events, eventually


async def test_reload(team: NewTeam, events: Events) -> None:
    """A reload replaces every worker; at each turn of the event loop each number has exactly one ready worker."""
    async with team(workers=2) as own:
        await own.supervisor.start()
        before = own.pids
        own.supervisor.reload()
        while own.restarts() != {RestartReason.RELOAD: 2}:
            ready = [each["worker"] for each in own.supervisor.status() if each["state"] == "ready"]
            assert (ready, own.ready()) == ([0, 1], 2)
            await asyncio.sleep(0)
        assert not set(own.pids) & set(before)
        await eventually(lambda: len(events.find("worker.exited", log_level="info")) == 2, "the old workers to exit")
        assert set(before) == {event["pid"] for event in events.find("worker.exited")}
        assert [len(rows) for rows in own.supervisor.live_rows().values()] == [1, 1]


async def test_reload_asked_for_again(team: NewTeam) -> None:
    """Requests during a reload lead to one more."""
    async with team() as own:
        await own.supervisor.start()
        for _ in range(5):
            own.supervisor.reload()
        await eventually(lambda: own.restarts() == {RestartReason.RELOAD: 1}, "the reload")
        for _ in range(5):
            own.supervisor.reload()
        await eventually(lambda: not own.supervisor._reloads_wanted, "the reloads to be over")
        assert own.restarts()[RestartReason.RELOAD] in {2, 3}


async def test_reload_that_fails(team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a successor does not start, the old worker keeps serving, and the reload goes on until it succeeds."""
    monkeypatch.setattr(supervisor_module, "START_ATTEMPTS", 2)
    async with team(MENDABLE) as own:
        await own.supervisor.start()
        before = own.pids
        own.supervisor.reload()
        await eventually(lambda: len(events.find("worker.exited", code=3)) > 2, "some failures")
        assert (before, 1, [RestartReason.EXIT]) == (own.pids, own.ready(), [*own.restarts()])
        assert not own.supervisor.ended.done()
        own.mend()
        await own.replaced(before)
        await eventually(lambda: own.restarts().get(RestartReason.RELOAD) == 1, "the reload to be counted")
        assert own.restarts()[RestartReason.EXIT] == len(events.find("worker.exited", code=3))


async def test_drain_timeout(team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that exceeds the drain timeout is killed."""
    monkeypatch.setattr(supervisor_module, "STOP_GRACE_SECONDS", -4.9)  # of five seconds to drain, 0.1 s remains
    async with team("trap '' TERM; " + STAYS_ON) as own:
        await own.supervisor.start()
        await own.supervisor.drain()
        assert events.find("worker.exited", code=-signal.SIGKILL)
        assert own.supervisor.live_rows() == {}


async def test_reload_during_a_drain(team: NewTeam, events: Events) -> None:
    """A reload during a drain starts no worker."""
    async with team("trap '' TERM; " + READY + WAITS) as own:
        await own.supervisor.start()
        draining = asyncio.create_task(own.supervisor.drain())
        await eventually(lambda: own.supervisor.status()[0]["state"] == "draining", "the drain to begin")
        own.supervisor.reload()
        own.mend()
        await draining
        assert own.supervisor.live_rows() == {}
        assert 1 == len(events.find("worker.started")) == len(events.find("worker.exited"))
        assert own.restarts() == {}
