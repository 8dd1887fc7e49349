"""Reloading and draining."""

import asyncio
import os
import signal

import pytest

from stentor_chassis.control import supervisor as supervisor_module
from stentor_chassis.counters.metrics import RestartReason
from unit.chassis.team import FIRST_STAYS, MENDABLE, READY, STAYS_ON, WAITS, NewTeam
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
        await eventually(lambda: not own.supervisor._reloading, "the reloads to be over")
        assert own.restarts()[RestartReason.RELOAD] in {2, 3}
        assert own.reloads() == [own.restarts()[RestartReason.RELOAD], 0]


async def test_reload_during_a_replacement(team: NewTeam, events: Events) -> None:
    """A worker that was starting may have read the old files, so it is replaced, too, before the reload is complete."""
    async with team(FIRST_STAYS + WAITS + STAYS_ON) as own:
        await own.supervisor.start()
        (killed,) = own.pids
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: own.supervisor.status()[0]["pid"] != killed, "its successor to start")
        own.supervisor.reload()
        own.mend()
        await eventually(lambda: events.find("reload.completed", workers=1), "the reload")
        assert own.restarts() == {RestartReason.SIGNAL: 1, RestartReason.RELOAD: 1}
        last = events.find("worker.started")[-1]
        assert (own.pids, own.reloads()) == ([last["pid"]], [1, 0])


async def test_reload_is_complete_when_predecessors_accept_no_more(team: NewTeam, events: Events) -> None:
    """A worker that has been asked to retire, and has not yet, may still accept connections with the old files."""
    async with team("trap '' TERM; " + READY + "read more; " + WAITS + "echo retired >&0; read more") as own:
        await own.supervisor.start()
        own.supervisor.reload()
        await eventually(lambda: own.restarts() == {RestartReason.RELOAD: 1}, "the successor")
        assert (own.supervisor._reloading, own.reloads()) == (True, [0, 0])
        own.mend()
        await eventually(lambda: own.reloads() == [1, 0], "the reload")
        assert [each["state"] for each in own.supervisor.status()].count("retired") == 1


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
        assert (own.reloads(), len(events.find("reload.failed", log_level="error"))) == ([0, 1], 1)
        own.mend()
        await own.replaced(before)
        await eventually(lambda: own.restarts().get(RestartReason.RELOAD) == 1, "the reload to be counted")
        assert own.restarts()[RestartReason.EXIT] == len(events.find("worker.exited", code=3))
        await eventually(lambda: own.reloads() == [1, 1], "the reload to be complete")


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
