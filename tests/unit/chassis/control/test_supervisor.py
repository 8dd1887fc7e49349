"""Starting and replacing workers."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from stentor_chassis.control import supervisor as supervisor_module
from stentor_chassis.counters.metrics import LOG_DROPPED, LOG_WAITING, RestartReason
from stentor_chassis.failure import COULD_NOT_START, Failure
from unit.chassis.example import ENDED, SCHEMA, TAKEN
from unit.chassis.team import (
    DONE,
    ENVIRONMENT,
    FAILS,
    FIRST_STAYS,
    MENDABLE,
    READY,
    STAYS_ON,
    WAITS,
    NewTeam,
    Team,
    command,
)
from unit.looping import Events, eventually


async def _block_until_exited(team: Team) -> int:
    """Keep the loop from running until the worker has exited, as on a busy machine."""
    while not (workers := team.supervisor.status()):  # noqa: ASYNC110 - looks at every turn of the loop
        await asyncio.sleep(0)
    pid = int(str(workers[0]["pid"]))
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop must not run
    return pid


async def test_killed_worker_is_replaced(team: NewTeam, events: Events) -> None:
    """A killed worker is replaced; its accounts are closed, its counts kept, its lost log lines counted."""
    async with team() as own:
        await own.supervisor.start()
        before = own.pids
        for deaths in (1, 2, 3):
            own.work()
            (pid,) = own.pids
            own.counters.row(own.supervisor.current[0].row)[SCHEMA.slot(LOG_WAITING)] = 7
            os.kill(pid, signal.SIGKILL)
            await own.replaced([pid])
            assert own.restarts() == {RestartReason.SIGNAL: deaths}
            assert (10 * deaths,) * 2 == (own.left(TAKEN), own.left(ENDED, "lost"))
            assert own.left(LOG_DROPPED) == 7 * deaths
        assert own.ready() == 1
        assert sum(map(len, own.supervisor.live_rows().values())) == 1
        assert events.find("worker.exited", pid=before[0], code=-signal.SIGKILL, log_level="error")


async def test_hung_worker_is_replaced(
    team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A worker without a heartbeat is killed and replaced; others are not affected."""
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    monkeypatch.setattr(supervisor_module, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(supervisor_module, "MISSED_BEATS", 30)
    async with team(workers=2) as own:
        own.supervisor.command = command(tmp_path)  # real workers, with heartbeats
        await own.supervisor.start()
        hung, well = own.pids
        os.kill(hung, signal.SIGSTOP)
        await eventually(lambda: hung not in own.pids and len(own.pids) == 2, "a replacement")
        assert well == own.pids[1]
        assert own.restarts() == {RestartReason.HEARTBEAT: 1}
        assert {hung} == {event["pid"] for event in events.find("worker.hung")}


async def test_finished_work(team: NewTeam, events: Events) -> None:
    """When all workers have finished their work, the service ends, and none is replaced."""
    async with team(READY + WAITS + DONE, workers=2) as own:
        await own.supervisor.start()
        own.work()
        own.mend()
        await asyncio.wait_for(asyncio.shield(own.supervisor.ended), 10)
        assert (own.restarts(), own.ready(), own.supervisor.live_rows()) == ({}, 0, {})
        assert len(events.find("worker.exited", code=0, log_level="info")) == 2
        assert own.left(TAKEN) == 20


async def test_work_finished_before_others_start(team: NewTeam, events: Events) -> None:
    """A worker that has finished before another has started does not end the service."""
    async with team("[ $number = 0 ] || { " + WAITS + "}; " + READY + DONE, workers=2) as own:
        starting = asyncio.create_task(own.supervisor.start())
        await eventually(lambda: events.find("worker.exited", worker=0), "the first worker to finish")
        assert not own.supervisor.ended.done()
        own.mend()
        await asyncio.wait_for(asyncio.shield(own.supervisor.ended), 10)
        await starting
        assert own.restarts() == {}


async def test_worker_lost_in_no_time(team: NewTeam) -> None:
    """A worker that is ready and exits at once is replaced like any other."""
    dies_once = FIRST_STAYS.replace("read more; ", FAILS) + STAYS_ON
    async with team(dies_once) as own:
        starting = asyncio.create_task(own.supervisor.start())
        lost = await _block_until_exited(own)
        await starting
        await eventually(lambda: own.supervisor.live_rows() and own.pids not in ([], [lost]), "a successor", 3)
        assert own.ready() == 1


async def test_worker_that_never_starts(team: NewTeam, events: Events) -> None:
    """After some attempts to start a worker, the start fails."""
    async with team(FAILS) as own:
        with pytest.raises(Failure, match="worker 0 did not start in 3 attempts") as failure:
            await own.supervisor.start()
        assert failure.value.code == COULD_NOT_START
        assert len(events.find("worker.exited", code=3)) == supervisor_module.START_ATTEMPTS
        assert (own.ready(), own.restarts()) == (0, {RestartReason.EXIT: supervisor_module.START_ATTEMPTS})


async def test_one_worker_that_never_starts(team: NewTeam) -> None:
    """The start also fails if only one worker does not start."""
    async with team("[ $number = 0 ] || exit 3; " + STAYS_ON, workers=2) as own:
        with pytest.raises(Failure, match="worker 1 did not start"):
            await asyncio.wait_for(own.supervisor.start(), 5)


async def test_worker_that_takes_too_long(team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is not ready in time is killed; this is a failed attempt."""
    monkeypatch.setattr(supervisor_module, "START_SECONDS", 0.05)
    monkeypatch.setattr(supervisor_module, "START_ATTEMPTS", 2)
    async with team("read more") as own:
        with pytest.raises(Failure, match="did not start in 2 attempts"):
            await own.supervisor.start()
        assert len(events.find("worker.exited", code=-signal.SIGKILL)) == 2
        assert own.restarts() == {RestartReason.START_TIMEOUT: 2}


async def test_replacement_that_never_starts(team: NewTeam) -> None:
    """If the only worker cannot be replaced, the service fails."""
    async with team(FIRST_STAYS + FAILS) as own:
        await own.supervisor.start()
        os.kill(own.pids[0], signal.SIGKILL)
        with pytest.raises(Failure, match="worker 0 did not start"):
            await asyncio.wait_for(asyncio.shield(own.supervisor.ended), 15)
        assert own.ready() == 0


async def test_replacement_while_others_serve(team: NewTeam, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another worker serves, attempts to replace one never end."""
    monkeypatch.setattr(supervisor_module, "START_ATTEMPTS", 2)
    async with team(MENDABLE, workers=2) as own:
        await own.supervisor.start()
        before = own.pids
        os.kill(before[1], signal.SIGKILL)
        await eventually(lambda: len(events.find("worker.exited", worker=1, code=3)) > 2, "some failures")
        assert (before[:1], 1) == (own.pids, own.ready())
        assert not own.supervisor.ended.done()
        own.mend()
        await eventually(lambda: len(own.pids) == 2, "the replacement")
        failed = len(events.find("worker.exited", worker=1, code=3))  # each of which was replaced as well
        assert own.restarts() == {RestartReason.SIGNAL: 1, RestartReason.EXIT: failed}


async def test_no_process_to_be_had(team: NewTeam, events: Events) -> None:
    """If the system cannot start a process, that is logged, and is a failed attempt."""
    async with team() as own:
        own.supervisor.command = ["/no/such/program"]
        with pytest.raises(Failure, match="worker 0 did not start"):
            await own.supervisor.start()
        failed = events.find("worker.failed", worker=0)
        assert len(failed) == supervisor_module.START_ATTEMPTS
        assert failed[0]["message"] == "cannot start /no/such/program: No such file or directory"
        assert own.supervisor.live_rows() == {}
