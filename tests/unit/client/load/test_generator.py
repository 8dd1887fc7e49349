"""Sending what is due."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from lying import Behaviour, LyingServer, add, close_early, echo, flip, reset, stay_silent, truncate
from stentor_client.load.metrics import DUE, LATE_MOST, PHASES, RESPONSE_TIME, SERVICE_TIME
from stentor_client.metrics import ACTIVE, LATE, OPENED, RECEIVED, SENT
from stentor_client.verify.outcomes import Phase
from unit.client.load.loading import Loading, level
from unit.client.probing import honest
from unit.looping import Events, Loop, eventually

NOBODY = "127.0.0.1:1"


@pytest.fixture
def loading(loop: Loop, events: Events) -> Callable[..., Loading]:
    """Runs a load against a behaviour, or a target, to its end."""

    def run(against: Behaviour | str, **changes: Any) -> Loading:
        async def scenario(target: str) -> Loading:
            own = Loading(target, events, **changes)
            await own.run()
            assert own[ACTIVE] == 0
            assert sum(own.outcomes().values()) == own[DUE]  # each exchange that was due has one end
            return own

        if isinstance(against, str):
            return loop.run(scenario(against))
        with LyingServer(against) as server:
            return loop.run(scenario(server.target))

    return run


NewLoading = Callable[..., Loading]


@pytest.mark.parametrize("sizes", [[64], [1, 5000, 300_000]])
@pytest.mark.parametrize("pipeline", [1, 7])
def test_closed(loading: NewLoading, sizes: list[int], pipeline: int) -> None:
    """Closed, every connection is kept busy, and every byte comes back."""
    own = loading(honest, sizes=sizes, pipeline=pipeline)
    assert own.outcomes().keys() == {"ok"}
    assert own[DUE] >= 3 * pipeline
    assert own[OPENED] == 3
    assert own[SENT] == own[RECEIVED] > 0
    assert own.lost() == {}
    assert own.times(RESPONSE_TIME).count == own.times(SERVICE_TIME).count == own[DUE]


def test_open(loading: NewLoading) -> None:
    """By a schedule, as many are sent as are due, and no more."""
    own = loading(honest, rate=level(500))
    assert own.outcomes() == {"ok": 100}
    assert own[SENT] == 100 * 64


def test_warmup(loading: NewLoading) -> None:
    """What is due before the warm-up ends is sent, and not measured."""
    own = loading(honest, rate=level(500), warmup_seconds=0.1)
    assert own.outcomes() == {"ok": 100}
    assert own.times(RESPONSE_TIME).count == 100
    assert own[SENT] == 150 * 64


@pytest.mark.parametrize("rate", [None, level(300)])
def test_fresh(loading: NewLoading, rate: Any) -> None:
    """Each exchange has a connection of its own, and the phases of the way are measured."""
    own = loading(honest, fresh=True, rate=rate)
    assert own.outcomes() == {"ok": own[DUE]}
    assert own[DUE] > 0
    assert own[OPENED] == own[DUE]
    assert own.times(PHASES, Phase.CONNECT).count == own[DUE]
    assert own.times(PHASES, Phase.FIRST_BYTE).count == own[DUE]


async def test_late_by_its_own_fault(events: Events) -> None:
    """What the generator itself sends late is counted, and how late the latest was."""

    async def scenario(target: str) -> None:
        own = Loading(target, events, rate=level(500), duration_seconds=1.0)
        asyncio.get_running_loop().call_later(0.5, time.sleep, 0.05)  # its loop stands still, amid the sends
        await own.run()
        assert own[LATE] >= 10
        assert own[LATE_MOST] >= 30_000_000

    with LyingServer(honest) as server:
        await scenario(server.target)


def test_queue_shows_in_response_time(loading: NewLoading) -> None:
    """While the server stands still, what is due waits: its response time runs, its service time does not."""
    stood_still = threading.Event()

    def stand_still_once(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            if not stood_still.is_set():
                stood_still.set()
                threading.Event().wait(0.3)  # the length is what is tested
            connection.sendall(data.upper())

    own = loading(stand_still_once, connections=1, rate=level(200), duration_seconds=0.6)
    assert own.outcomes() == {"ok": 120}
    response, service = own.times(RESPONSE_TIME), own.times(SERVICE_TIME)
    assert service.percentile(98) < 0.1  # one exchange knows of it
    assert response.percentile(60) > 0.04  # half of them were due meanwhile, and waited 0.15 s on average
    assert response.mean > 0.05 > service.mean


@pytest.mark.parametrize(
    ("behaviour", "outcome", "lost"),
    [
        (flip, "mismatch", set()),
        (echo, "mismatch", set()),
        (truncate, "short", {"eof"}),
        (add, "extra", {"extra"}),
        (close_early, "eof", {"eof"}),
        (reset, "reset", {"reset"}),
        (stay_silent, "timeout", {"timeout"}),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_each_lie_has_its_outcome(
    loading: NewLoading, behaviour: Behaviour, outcome: str, lost: set[str], *, fresh: bool
) -> None:
    """Each way in which a server can fail is its own outcome, is logged with its facts, and the load goes on."""
    own = loading(behaviour, connections=1, rate=level(50), timeout_seconds=0.1, fresh=fresh)
    outcomes = own.outcomes()
    # A connection that ends each time is made anew after a pause, in which what is due may run out of time.
    assert outcomes.keys() <= {outcome, "timeout"}
    assert (outcomes[outcome] > 0, sum(outcomes.values())) == (True, 10)
    assert own.lost().keys() == lost
    assert own.events.find("exchange.failed", outcome=outcome)
    assert len(own.events.find("exchange.failed", outcome=outcome)) <= 5  # of a thousand of a kind nobody reads more


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("rate", [None, level(50)])
def test_nobody_listens(loading: NewLoading, rate: Any, *, fresh: bool) -> None:
    """Where nobody listens, exchanges end as refused, or in the time-out while nobody tries for them."""
    own = loading(NOBODY, rate=rate, fresh=fresh, timeout_seconds=0.2)
    assert own.outcomes().keys() <= {"refused", "timeout"}
    assert own.outcomes()["refused"] > 0
    assert own.events.find("exchange.failed", outcome="refused", phase="connect")


def test_connections_are_made_again(loading: NewLoading) -> None:
    """A connection that is lost is replaced, and carries on."""

    def answer_twice(connection: socket.socket) -> None:
        for _ in range(2):
            connection.sendall(connection.recv(65536).upper())

    own = loading(answer_twice, connections=2, rate=level(100))
    outcomes = own.outcomes()
    assert outcomes["ok"] >= 10
    assert outcomes.keys() <= {"ok", "eof", "reset"}  # what was on its way to a connection that had just ended
    assert own[OPENED] > 4


def close_at_once(connection: socket.socket) -> None:
    """End before anything is asked."""
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("rate", [None, level(50)])
def test_server_that_closes_at_once(loading: NewLoading, rate: Any, *, fresh: bool) -> None:
    """Where every connection is closed as soon as it is made, exchanges fail, connections pause, and the load ends."""
    own = loading(close_at_once, rate=rate, fresh=fresh, timeout_seconds=0.2)
    assert own.outcomes().keys() <= {"eof", "reset", "timeout", "unreachable"}
    assert own[OPENED] < 500


def test_some_are_closed_at_once(loading: NewLoading) -> None:
    """Those that a server at its limit turns away do not hold up those that it serves."""
    served = threading.Semaphore(2)

    def serve_two(connection: socket.socket) -> None:
        if served.acquire(blocking=False):
            honest(connection)

    own = loading(serve_two, connections=4)
    outcomes = own.outcomes()
    assert outcomes["ok"] > 10
    assert outcomes.keys() <= {"ok", "eof", "reset"}


@pytest.mark.parametrize("fresh", [False, True])
def test_sizes_are_taken_in_turn(loading: NewLoading, *, fresh: bool) -> None:
    """Each size is sent as often, over kept connections and over fresh ones."""
    own = loading(honest, rate=level(150), fresh=fresh, sizes=[10, 1000, 20_000])
    assert own.outcomes() == {"ok": 30}
    assert own[SENT] == 10 * (10 + 1000 + 20_000)


def test_first_byte_only_where_it_is_known(loading: NewLoading) -> None:
    """Of messages on their way together, nobody knows when the first byte of each came."""
    own = loading(honest, connections=1, pipeline=8)
    assert own.times(PHASES, Phase.FIRST_BYTE).count < own[DUE]
    assert loading(honest, connections=1).times(PHASES, Phase.FIRST_BYTE).count > 0


async def test_stopped_with_bytes_unsent(events: Events) -> None:
    """Told to stop while the peer reads nothing, a load ends all the same, and what was under way has no outcome."""

    async def scenario(target: str) -> None:
        own = Loading(target, events, duration_seconds=3600.0, sizes=[16 << 20], connections=2)
        running = asyncio.create_task(own.run())
        await eventually(lambda: own[SENT] > 0, "something to be sent")
        own.stop.set()
        await running
        assert (own[ACTIVE], own.outcomes()) == (0, {})

    with LyingServer(lambda _: threading.Event().wait(30)) as server:  # type: ignore[arg-type]
        await scenario(server.target)


async def test_told_to_stop(events: Events) -> None:
    """Told to stop, a load ends at once, and every connection is closed."""

    async def scenario(target: str) -> Loading:
        own = Loading(target, events, duration_seconds=3600.0, rate=level(100))
        own.stop.set()
        await own.run()
        return own

    with LyingServer(honest) as server:
        assert (await scenario(server.target))[ACTIVE] == 0
