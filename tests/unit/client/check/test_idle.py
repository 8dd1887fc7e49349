"""How long a connection may be silent."""

import re
import socket
import threading

import pytest

import lying
from lying import LyingServer
from middlebox import Pump, between, cut_when_idle, forget_when_idle
from middlebox import honest as honest_box
from stentor_client.check.check import Result, Status
from stentor_client.check.idle import Idle
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.check.checking import result
from unit.client.probing import honest


async def through(pump: Pump, *ladder: float, timeout_seconds: float = 10.0) -> Result:
    """Return the result of silences through a middlebox."""
    check = Idle(1)
    check.ladder = [*ladder]
    with LyingServer(honest) as server:
        return await result(between(server.target, pump), check, timeout_seconds=timeout_seconds)


def test_ladder() -> None:
    """The ladder rises to the longest silence."""
    assert [Idle(longest).ladder for longest in (0.25, 10.0, 7.0)] == [[0.25], [1, 2, 5, 10], [1, 2, 5, 7]]
    assert Idle(90_000.0).ladder[4:] == [30, 60, 120, 300, 600, 1800, 3600, 7200, 18000, 36000, 86400, 90000]


async def test_alive() -> None:
    """A path that forgets nothing passes, and takes as long as the longest silence, not as all of them."""
    found = await through(honest_box, 0.3, 0.4, *[0.5] * 40)
    assert (found.status, found.finding.detail[:31]) == (Status.PASS, "alive after 0.3 s, 0.4 s, 0.5 s")
    assert 0.5 <= found.finding.measured["alive_after_seconds"] < found.duration_seconds
    assert found.finding.measured["dead_after_seconds"] is None
    assert found.duration_seconds < 20


async def test_cut() -> None:
    """If silent connections are cut, the first silence that is long enough shows how, and after how long."""
    found = await through(cut_when_idle(1.0), 0.1, 5.0, 6.0)
    assert (found.finding.outcome, found.finding.phase) == (Outcome.RESET, Phase.CLOSE)
    words = r"alive after 0\.1 s, dead after 5 s \(reset: the connection ended after (\d+\.\d) s of silence\)"
    match = re.fullmatch(words, found.finding.detail)
    assert match
    alive, dead = found.finding.measured.values()
    assert 0.1 <= alive < dead < 5  # the exact silence, not the step of the ladder
    assert float(match[1]) == pytest.approx(dead, abs=0.06)
    assert found.cause == Idle.usual_cause


async def test_forgotten() -> None:
    """If a silent connection is forgotten, the exchange after the silence shows it."""
    found = await through(forget_when_idle(1.0), 0.1, 2.0, timeout_seconds=1.0)
    assert (found.finding.outcome, found.finding.phase) == (Outcome.TIMEOUT, Phase.FIRST_BYTE)
    assert (
        found.finding.detail
        == "alive after 0.1 s, dead after 2 s (timeout: no progress for 1 s before any byte of the reply)"
    )
    assert "a firewall or a NAT that forgets" in found.cause


async def test_failure_before_any_silence_is_not_blamed_on_it() -> None:
    """A failure before the silence is not blamed on it."""
    found = await result(lambda _: None, Idle(60.0))
    assert found.status is Status.FAIL
    assert found.finding.measured == {}
    assert "silence" not in found.finding.detail


async def test_age_is_not_silence() -> None:
    """If a connection that is never silent ends as well, silence is not blamed."""

    def retire(connection: socket.socket) -> None:
        connection.sendall(connection.recv(64).upper())
        threading.Timer(0.7, connection.shutdown, (socket.SHUT_RDWR,)).start()
        honest(connection)

    check = Idle(60.0)
    check.ladder = [60]
    found = await result(retire, check)
    assert re.match(r"dead after 1 min \(.*; so is a connection that was never silent \(eof: ", found.finding.detail)
    assert found.finding.measured["alive_after_seconds"] is None
    assert "silence has no part in it" in found.cause


async def test_too_few_connections() -> None:
    """Connections that never got a reply say nothing about silence; the longest one is tried on those that did."""
    room = threading.Semaphore(1)

    def queue(connection: socket.socket) -> None:
        if room.acquire(blocking=False):
            honest(connection)
        lying.stay_silent(connection)

    check = Idle(1)
    check.ladder = [60, 0.1]
    found = await result(queue, check, timeout_seconds=0.5)
    assert found.status is Status.PASS
    words = "alive after 0.1 s; only 1 connection at once got a reply (timeout: no progress for 0.5 s before any byte"
    assert found.finding.detail.startswith(words)
