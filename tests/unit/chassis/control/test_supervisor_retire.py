"""Workers that a reload retired."""

import asyncio
import os
import signal

import pytest

from stentor_chassis.control import supervisor as supervisor_module
from stentor_chassis.counters.metrics import RestartReason
from unit.chassis.example import ENDED, TAKEN
from unit.chassis.team import LINGERS, READY, WAITS, NewTeam, Team
from unit.looping import Events, eventually

DEAF = "trap '' TERM; " + LINGERS


async def _reload(team: Team) -> list[int]:
    """Reload; return the process ids of the workers that retired with it, by number, when their successors serve."""
    before = team.pids
    reloads = team.restarts().get(RestartReason.RELOAD, 0)
    team.supervisor.reload()

    def reloaded() -> bool:
        assert all(len(rows) <= 2 for rows in team.supervisor.live_rows().values())
        return reloads + len(before) == team.restarts().get(RestartReason.RELOAD, 0)

    await eventually(reloaded, "the reload")
    return before


def _states(team: Team) -> dict[int, str]:
    return {int(str(each["pid"])): str(each["state"]) for each in team.supervisor.status()}


async def test_retired_worker_stays(team: NewTeam, events: Events) -> None:
    """A retired worker stays beside its successor, with a row that counts, and is not among those that are ready."""
    async with team(LINGERS, workers=2) as own:
        await own.supervisor.start()
        before = await _reload(own)
        assert dict.fromkeys(before, "retired") | dict.fromkeys(own.pids, "ready") == _states(own)
        assert own.ready() == 2
        assert [len(rows) for rows in own.supervisor.live_rows().values()] == [2, 2]
        assert own.pids == [own.supervisor.pids()[name] for name in ("worker0", "worker1")]
        assert before == [event["pid"] for event in events.find("worker.retired", log_level="info")]
        assert own.restarts() == {RestartReason.RELOAD: 2}
        assert events.find("worker.exited") == []


async def test_retired_worker_goes_by_itself(team: NewTeam, events: Events) -> None:
    """A retired worker that exits in order is no loss: it is not replaced, and its counts are kept."""
    async with team(READY + "read more; " + WAITS) as own:
        await own.supervisor.start()
        own.work()
        before = await _reload(own)
        after = own.pids
        own.mend()
        await eventually(lambda: events.find("worker.exited", pid=before[0], code=0, log_level="info"), "its end")
        assert (after, 1) == (own.pids, own.ready())
        assert own.restarts() == {RestartReason.RELOAD: 1}
        assert own.left(TAKEN) == 10
        assert [len(rows) for rows in own.supervisor.live_rows().values()] == [1]


async def test_reload_makes_room(team: NewTeam, events: Events) -> None:
    """A further reload ends who retired with the one before, in order, before it starts a third in their places."""
    async with team(LINGERS, workers=2) as own:
        await own.supervisor.start()
        generations = [await _reload(own) for _ in range(4)]
        eldest = [pid for generation in generations[:-1] for pid in generation]
        exits = events.find("worker.exited", code=-signal.SIGTERM, log_level="info")
        assert set(eldest) == {event["pid"] for event in exits}
        assert dict.fromkeys(generations[-1], "retired") | dict.fromkeys(own.pids, "ready") == _states(own)
        assert own.restarts() == {RestartReason.RELOAD: 8}


async def test_retired_worker_that_does_not_end(team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retired worker that a further reload waits for in vain is killed; those of other places do not wait for it."""
    monkeypatch.setattr(supervisor_module, "STOP_GRACE_SECONDS", -4.9)  # what is left of five seconds to drain
    async with team(DEAF, workers=2) as own:
        await own.supervisor.start()
        first = await _reload(own)
        own.supervisor.reload()
        await eventually(lambda: [*_states(own).values()].count("draining") == 2, "both to be ended together")
        await eventually(lambda: own.restarts() == {RestartReason.RELOAD: 4}, "the reload")
        exits = events.find("worker.exited", code=-signal.SIGKILL, log_level="error")
        hung = events.find("worker.hung", log_level="error")
        assert set(first) == {event["pid"] for event in exits} == {event["pid"] for event in hung}


async def test_retired_worker_that_is_lost(team: NewTeam, events: Events) -> None:
    """A retired worker that is killed is an error and settled; it is not replaced, and counts as no restart."""
    async with team(LINGERS) as own:
        await own.supervisor.start()
        own.work()
        (lost,) = await _reload(own)
        after = own.pids
        os.kill(lost, signal.SIGKILL)
        await eventually(lambda: events.find("worker.exited", pid=lost, log_level="error"), "its end")
        assert (after, 1) == (own.pids, own.ready())
        assert own.restarts() == {RestartReason.RELOAD: 1}
        assert (own.left(TAKEN), own.left(ENDED, "lost")) == (10, 10)
        assert len(events.find("worker.started")) == 2
        assert not own.supervisor.ended.done()


async def test_successor_that_is_lost(team: NewTeam) -> None:
    """A successor that dies is replaced as ever; who retired for it is left in peace."""
    async with team(LINGERS) as own:
        await own.supervisor.start()
        (retired,) = await _reload(own)
        os.kill(own.pids[0], signal.SIGKILL)
        await own.replaced(own.pids)
        assert {retired: "retired", own.pids[0]: "ready"} == _states(own)
        assert own.restarts() == {RestartReason.RELOAD: 1, RestartReason.SIGNAL: 1}


async def test_drain_while_a_reload_makes_room(team: NewTeam, events: Events) -> None:
    """A drain does not wait for a reload that waits for a retired worker, and starts nobody."""
    async with team("trap '' TERM; " + READY + WAITS) as own:
        await own.supervisor.start()
        await _reload(own)
        own.supervisor.reload()
        await eventually(lambda: "draining" in _states(own).values(), "the wait for who retired")
        draining = asyncio.create_task(own.supervisor.drain())
        await eventually(lambda: [*_states(own).values()] == ["draining"] * 2, "the drain of both")
        own.mend()
        await draining
        assert 2 == len(events.find("worker.started")) == len(events.find("worker.exited", log_level="info"))
        assert own.restarts() == {RestartReason.RELOAD: 1}
