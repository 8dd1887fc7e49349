"""Retired workers."""

import os
import signal

import pytest

from stentor_chassis.control import supervisor as supervisor_module
from stentor_chassis.counters.metrics import RestartReason
from unit.chassis.example import ENDED, TAKEN
from unit.chassis.team import LINGERS, NewTeam, Team
from unit.looping import Events, eventually

DEAF = "trap '' TERM; " + LINGERS


async def _reload(team: Team) -> list[int]:
    """Reload; return the process ids of the workers that retired, by number."""
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


async def test_generations(team: NewTeam, events: Events) -> None:
    """A retired worker keeps its row beside its successor; a further reload stops it first."""
    async with team(LINGERS, workers=2) as own:
        await own.supervisor.start()
        generations = [await _reload(own)]
        assert events.find("worker.exited") == []
        assert [len(rows) for rows in own.supervisor.live_rows().values()] == [2, 2]
        assert own.pids == [own.supervisor.pids()[name] for name in ("worker0", "worker1")]
        generations += [await _reload(own) for _ in range(2)]
        retired = [event["pid"] for event in events.find("worker.retired", log_level="info")]
        assert retired == [pid for generation in generations for pid in generation]
        exits = events.find("worker.exited", code=-signal.SIGTERM, log_level="info")
        assert set(retired[:-2]) == {event["pid"] for event in exits}
        assert dict.fromkeys(retired[-2:], "retired") | dict.fromkeys(own.pids, "ready") == _states(own)
        assert (own.ready(), own.restarts()) == (2, {RestartReason.RELOAD: 6})


async def test_retired_worker_that_does_not_end(team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retired worker that does not stop for a further reload is killed; others stop at the same time."""
    monkeypatch.setattr(supervisor_module, "STOP_GRACE_SECONDS", -4.9)  # of five seconds to drain, 0.1 s remains
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
    """A retired worker that is killed is an error; its accounts are closed, and it is not replaced."""
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
