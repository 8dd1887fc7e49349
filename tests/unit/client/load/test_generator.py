"""Sending what is due."""

import asyncio
import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from lying import Behaviour, LyingServer, add, close_early, flip, reset, stay_silent, truncate
from stentor_client.load import generator
from stentor_client.load.metrics import (
    AT_MISSED,
    AT_OK,
    AT_OPENED,
    DUE,
    LATE_MOST,
    PHASES,
    RESPONSE_TIME,
    SCHEMA,
    SERVICE_TIME,
    SHORTAGES,
)
from stentor_client.load.tally import Tally
from stentor_client.metrics import ACTIVE, LATE, OPENED, RECEIVED, SENT
from stentor_client.verify.outcomes import Phase, Shortage
from stentor_client.wire import dialer
from unit.client.load.loading import Loading, level
from unit.client.probing import honest
from unit.client.wire.naming import resolve_to
from unit.looping import Events, eventually

NOBODY = "127.0.0.1:1"
NewLoading = Callable[..., Coroutine[Any, Any, Loading]]


@pytest.fixture
def loading(events: Events) -> NewLoading:
    """Runs a load against a behaviour, or a target, to its end."""

    async def run(against: Behaviour | str, **changes: Any) -> Loading:
        with contextlib.ExitStack() as stack:
            target = against if isinstance(against, str) else stack.enter_context(LyingServer(against)).target
            own = Loading(target, events, **changes)
            await own.run()
        assert own[ACTIVE] == 0
        assert sum(own.outcomes().values()) == own[DUE]  # each exchange that was due has one end
        assert events.find("worker.exception") == []
        return own

    return run


@pytest.mark.parametrize(("sizes", "pipeline"), [([64], 1), ([1, 5000, 300_000], 7)])
async def test_closed(loading: NewLoading, sizes: list[int], pipeline: int) -> None:
    """Closed, every connection is kept busy, and every byte is returned."""
    own = await loading(honest, sizes=sizes, pipeline=pipeline)
    assert own.outcomes().keys() == {"ok"}
    assert own[DUE] >= 3 * pipeline
    assert (own[OPENED], own.lost()) == (3, set())
    assert own[SENT] == own[RECEIVED] > 0
    assert own.times(RESPONSE_TIME).count == own.times(SERVICE_TIME).count == own[DUE]
    # If several messages are under way, the first byte of each reply is unknown.
    assert (own.times(PHASES, Phase.FIRST_BYTE).count == own[DUE]) == (pipeline == 1)


async def test_open(loading: NewLoading) -> None:
    """As many are sent as are due, of each size as many; those due in the warm-up are not measured."""
    own = await loading(honest, rate=level(300), warmup_seconds=0.1, sizes=[10, 1000, 20_000])
    assert own.outcomes() == {"ok": 60}
    assert own.times(RESPONSE_TIME).count == 60
    assert own[SENT] == 30 * (10 + 1000 + 20_000)


@pytest.mark.parametrize("rate", [None, level(300)])
async def test_fresh(loading: NewLoading, rate: Any) -> None:
    """Each exchange has a connection of its own, and the phases of connecting are measured."""
    own = await loading(honest, fresh=True, rate=rate)
    assert own.outcomes() == {"ok": own[DUE]}
    assert own[OPENED] == own[DUE] > 0
    assert own.times(PHASES, Phase.CONNECT).count == own.times(PHASES, Phase.FIRST_BYTE).count == own[DUE]


async def test_late_by_its_own_fault(loading: NewLoading) -> None:
    """Sends that the generator itself delays are counted, and how late the latest was."""
    asyncio.get_running_loop().call_later(0.5, time.sleep, 0.05)  # blocks the loop amid the sends
    own = await loading(honest, rate=level(500), duration_seconds=1.0)
    assert own[LATE] >= 10
    assert own[LATE_MOST] >= 30_000_000


async def test_queue_shows_in_response_time(events: Events) -> None:
    """While the server stalls, exchanges wait: their response time runs, their service time does not."""

    def stall(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            while own[DUE] < 60:  # for 0.3 s at least
                threading.Event().wait(0.001)
            connection.sendall(data.upper())

    with LyingServer(stall) as server:
        own = Loading(server.target, events, connections=1, rate=level(200), duration_seconds=0.6)
        await own.run()
    assert own.outcomes() == {"ok": 120}
    response, service = own.times(RESPONSE_TIME), own.times(SERVICE_TIME)
    assert (response.mean - service.mean) * 120 > 60 * 0.14  # half of them waited 0.15 s on average, or more


@pytest.mark.parametrize(
    ("behaviour", "outcome", "lost"),
    [
        (flip, "mismatch", set()),
        (truncate, "short", {"eof"}),
        (add, "extra", {"extra"}),
        (close_early, "eof", {"eof"}),
        (reset, "reset", {"reset"}),
        (stay_silent, "timeout", {"timeout"}),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
async def test_each_lie_has_its_outcome(
    loading: NewLoading,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
    outcome: str,
    lost: set[str],
    *,
    fresh: bool,
) -> None:
    """Each failure of a server has its own outcome, is logged with its facts a few times, and the load continues."""
    monkeypatch.setattr(generator, "back_off_seconds", lambda *_: 0.001)
    timeout = 0.1 if outcome == "timeout" else 10.0
    own = await loading(behaviour, connections=1, rate=level(50), timeout_seconds=timeout, fresh=fresh)
    assert (own.outcomes(), own.lost()) == ({outcome: 10}, lost)
    assert len(own.events.find("exchange.failed", outcome=outcome)) == generator.LOGGED_OF_EACH


@pytest.mark.parametrize("fresh", [False, True])
async def test_addresses_take_turns(events: Events, monkeypatch: pytest.MonkeyPatch, *, fresh: bool) -> None:
    """Connections are spread evenly over all addresses; one that fails is tried in its turn, and another instead."""
    with LyingServer(honest) as one, LyingServer(honest) as two:
        targets = sorted([one.target, two.target])
        resolve_to(monkeypatch, *targets)
        own = Loading("name:1", events, targets, connections=4, fresh=fresh)
        await own.run()
        opened = own.at(AT_OPENED)
        assert abs(opened[0] - opened[1]) <= 1
        assert (sum(opened), sum(own.at(AT_OK)), sum(own.at(AT_MISSED))) == (own[OPENED], own[DUE], 0)
        down = "127.0.0.1:1"  # the first in turn
        resolve_to(monkeypatch, *targets, down)
        own = Loading("name:1", events, [down, *targets], connections=3, fresh=fresh)
        await own.run()
        assert own.at(AT_OPENED)[0] == 0 < own.at(AT_MISSED)[0]
        assert sum(own.at(AT_MISSED)) == own.at(AT_MISSED)[0]
        assert {*own.outcomes()} == {"ok"}


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("phases", {}),  # in a task, before the start
        ("phases", {"fresh": True}),
        ("good", {}),  # in a callback of a connection
        ("due", {"rate": level(100)}),  # in that of the timer
    ],
)
async def test_error_of_its_own(
    events: Events, monkeypatch: pytest.MonkeyPatch, method: str, changes: dict[str, Any]
) -> None:
    """An error of the generator itself ends the load, wherever it is raised."""

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Tally, method, fail)
    with LyingServer(honest) as server:
        own = Loading(server.target, events, duration_seconds=3600.0, **changes)
        with pytest.raises(ExceptionGroup) as raised:
            await own.run()
    assert {*map(type, raised.value.exceptions)} == {ZeroDivisionError}
    assert own[ACTIVE] == 0


@pytest.mark.parametrize("fresh", [False, True])
async def test_shortage_of_this_machine(loading: NewLoading, monkeypatch: pytest.MonkeyPatch, *, fresh: bool) -> None:
    """Connections that this machine has no room for are counted, and no address is blamed."""

    async def fail(*_: Any) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "")

    monkeypatch.setattr(dialer, "connect", fail)
    own = await loading(NOBODY, rate=level(50), fresh=fresh)
    assert own.outcomes().keys() <= {"unreachable", "timeout"}
    assert own.row[SCHEMA.slot(SHORTAGES, Shortage.LOCAL_PORTS)] > 0
    assert sum(own.at(AT_MISSED)) == 0


async def test_last_word(loading: NewLoading) -> None:
    """Bytes that follow the last reply are noticed, though no exchange is left to fail."""

    def say_more(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536).upper())
        threading.Event().wait(0.01)
        connection.sendall(b"!")
        connection.recv(1)

    own = await loading(say_more, connections=1, rate=level(1))
    assert own.lost() == {"extra"}


async def test_no_connection_becomes_free(loading: NewLoading) -> None:
    """An exchange that waits for a connection for the whole time-out is given up."""
    own = await loading(stay_silent, connections=1, rate=level(50), timeout_seconds=0.1)
    assert own.events.find("exchange.failed", phase="connect", detail="no connection became free")


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("rate", [None, level(50)])
async def test_nobody_listens(loading: NewLoading, rate: Any, *, fresh: bool) -> None:
    """If nobody listens, exchanges are refused, or time out during the pauses between attempts."""
    own = await loading(NOBODY, rate=rate, fresh=fresh, timeout_seconds=1.0)
    assert {"refused"} <= own.outcomes().keys() <= {"refused", "timeout"}
    assert own.events.find("exchange.failed", outcome="refused", phase="connect")


async def test_connections_are_replaced(loading: NewLoading, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is lost is replaced at once if it was of use."""
    failures: list[int] = []

    def back_off_seconds(failed: int, _most_seconds: float) -> float:
        failures.append(failed)
        return 0.0

    monkeypatch.setattr(generator, "back_off_seconds", back_off_seconds)

    def answer_twice(connection: socket.socket) -> None:
        for _ in range(2):
            connection.sendall(connection.recv(65536).upper())

    own = await loading(answer_twice, connections=2)
    assert own.outcomes()["ok"] >= own[OPENED] > 4
    assert {*failures} == {0}
    assert own.outcomes().keys() <= {"ok", "eof", "reset"}  # those on their way as the connection ended


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("rate", [None, level(50)])
async def test_server_that_closes_at_once(loading: NewLoading, rate: Any, *, fresh: bool) -> None:
    """If every connection is closed as soon as it is made, exchanges fail, connections pause, and the load ends."""
    own = await loading(
        lambda connection: connection.shutdown(socket.SHUT_RDWR), rate=rate, fresh=fresh, timeout_seconds=0.2
    )
    assert own.outcomes().keys() <= {"eof", "reset", "timeout", "unreachable"}
    assert own[OPENED] < 500


@pytest.mark.parametrize(
    ("behaviour", "size"), [(honest, 64), (lambda _: threading.Event().wait(30), 16 << 20)], ids=["busy", "unread"]
)
async def test_closes_at_once(events: Events, behaviour: Any, size: int) -> None:
    """A load that is closed early sends no more, even if the peer reads nothing; what is under way has no outcome."""
    with LyingServer(behaviour) as server:
        own = Loading(server.target, events, duration_seconds=3600.0, sizes=[size], connections=20)
        running = asyncio.create_task(own.run())
        await eventually(lambda: own[SENT] > 0, "something to be sent")
        due = own[DUE]
        await own.generator.close()
        assert (own[ACTIVE], own[DUE], own.outcomes().keys() <= {"ok"}, own.lost()) == (0, due, True, set())
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
