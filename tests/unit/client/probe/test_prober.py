"""The exchange with one target."""

import asyncio
import itertools
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from lying import Behaviour, LyingServer, add, close_early, flip, repeat_the_first, reset, stall, stay_silent, truncate
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.metrics import (
    ACTIVE,
    LAST_SUCCESS,
    LATE,
    LOST_IDLE,
    OPENED,
    PHASE_DURATION,
    RECEIVED,
    RESPONSE_TIME,
    RTT,
    SCHEMA,
    SENT,
    SERVICE_TIME,
    TIMED,
    UP,
)
from stentor_client.probe import prober as prober_module
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import Outcome, Phase
from stentor_client.wire import connection as connection_module
from unit.client.probing import SIZES, NewProbing, Probing, honest
from unit.client.wire.naming import refusing
from unit.looping import eventually


async def _probe(probing: NewProbing, behaviour: Behaviour, **changes: Any) -> Probing:
    """Probe a server up to the count."""
    with LyingServer(behaviour) as server:
        return await probing(server.target, **changes).run()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority of the server's certificate."""
    return Authority(tmp_path)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(("connection", "opened"), [("persistent", 1), ("fresh", 7)])
async def test_good_exchanges(
    probing: NewProbing,
    authority: Authority,
    connection: str,
    opened: int,
    encrypted: bool,  # noqa: FBT001
) -> None:
    """Good exchanges are counted to the byte and timed, over one connection or one each, and none is lost."""
    context = authority.serve(authority.issue("server")) if encrypted else None
    with LyingServer(honest, context) as server:
        dial = {"tls": encrypted, "tls_ca": authority.file}
        own = await probing(server.target, connection=connection, count=7, dial=dial).run()
    assert ({"ok": 7}, {}, opened) == (own.exchanges(), own.lost(), own[OPENED])
    nbytes = sum((SIZES * 3)[:7])
    assert (nbytes, nbytes) == (own[SENT], own[RECEIVED])
    assert [own.observed(metric) for metric in (RESPONSE_TIME, SERVICE_TIME)] == [7, 7]
    assert [opened, opened, opened * encrypted, 7] == [own.observed(PHASE_DURATION, phase) for phase in TIMED]
    assert own[UP] == 1
    assert 0 < own[RTT] < 1_000_000
    assert 0 <= time.time_ns() - own[LAST_SUCCESS] < 60 * NANOSECONDS
    completed = own.events.find("exchange.completed", log_level="debug")  # they follow each other fast
    assert [*zip(range(7), SIZES * 3, strict=False)] == [(each["sequence"], each["size_bytes"]) for each in completed]
    assert all(each["response_time_seconds"] >= each["service_time_seconds"] > 0 for each in completed)


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
@pytest.mark.parametrize(
    ("behaviour", "outcome", "offset", "phase"),
    [
        (flip, Outcome.MISMATCH, 4, Phase.REPLY),
        (truncate, Outcome.SHORT, 39, Phase.REPLY),
        (add, Outcome.EXTRA, 40, Phase.REPLY),
        (close_early, Outcome.EOF, 0, Phase.FIRST_BYTE),
        (reset, Outcome.RESET, 0, Phase.FIRST_BYTE),
        (stay_silent, Outcome.TIMEOUT, 0, Phase.FIRST_BYTE),
        (stall, Outcome.TIMEOUT, 20, Phase.REPLY),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_wrong_replies(
    probing: NewProbing, behaviour: Behaviour, outcome: Outcome, offset: int, phase: Phase, connection: str
) -> None:
    """Any wrong reply has its outcome, offset and phase, and costs the connection; the next exchange has a new one."""
    timeout = 0.5 if outcome is Outcome.TIMEOUT else 10.0
    own = await _probe(probing, behaviour, count=2, sizes=[40], connection=connection, timeout_seconds=timeout)
    assert ({outcome: 2}, {outcome: 2}) == (own.exchanges(), own.lost())
    assert [own[metric] for metric in (OPENED, UP, SENT)] == [2, 0, 80]
    assert own.observed(RESPONSE_TIME) == 0
    failed = own.events.find("exchange.failed", outcome=outcome)
    assert [(offset, phase)] * 2 == [(event["offset"], event["phase"]) for event in failed]
    assert len(own.events.find("connection.lost", outcome=outcome)) == 2
    if outcome is Outcome.MISMATCH:
        assert ord(failed[0]["expected"][0]) ^ 1 == ord(failed[0]["actual"][0])


async def test_mixed_connections(probing: NewProbing) -> None:
    """An exchange over the kept connection and one over a fresh connection take turns; losing one spares the other."""
    connections = itertools.count()

    def only_the_first(connection: socket.socket) -> None:
        (close_early if next(connections) == 2 else honest)(connection)

    own = await _probe(probing, only_the_first, connection="mixed", count=6, sizes=[40, 50])
    completed = [
        (event["connection"], event["fresh"], event["size_bytes"]) for event in own.events.find("exchange.completed")
    ]
    assert completed == [(1, False, 40), (2, True, 40), (1, False, 50), (1, False, 40), (4, True, 40)]
    assert (own.exchanges(), own.lost(), own[OPENED]) == ({"ok": 5, "eof": 1}, {"eof": 1}, 4)


async def test_surplus_at_the_end(probing: NewProbing) -> None:
    """Surplus bytes after the last reply cost the connection; no exchange is counted that was not made."""

    def add_at_the_end(connection: socket.socket) -> None:
        honest(connection)
        connection.sendall(b"!")

    own = await _probe(probing, add_at_the_end, count=2, sizes=[40])
    assert (own.exchanges(), own.lost()) == ({"ok": 2}, {"extra": 1})
    assert own.events.find("exchange.failed") == []
    assert own.events.find("connection.lost", outcome=Outcome.EXTRA, actual="!")


async def test_peer_that_does_not_close(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that does not close its side costs a fresh connection the exchange, and a kept one at the end nothing."""
    monkeypatch.setattr(prober_module, "CLOSE_SECONDS", 0.05)
    released = threading.Event()

    def stay(connection: socket.socket) -> None:
        honest(connection)
        released.wait(20)

    assert (await _probe(probing, stay, count=2)).exchanges() == {"ok": 2}
    own = await _probe(probing, stay, count=1, timeout_seconds=1.0, connection="fresh")
    released.set()
    (failed,) = own.events.find("exchange.failed")
    assert (failed["outcome"], failed["offset"], failed["phase"]) == (Outcome.TIMEOUT, None, Phase.CLOSE)


async def test_stale_reply(probing: NewProbing) -> None:
    """A right reply to another message is wrong, and so is one to another option."""
    own = await _probe(probing, repeat_the_first, count=2, sizes=[64])
    assert own.exchanges() == {"ok": 1, "mismatch": 1}
    assert (await _probe(probing, honest, expect="echo", count=1, sizes=[300])).exchanges() == {"mismatch": 1}


def answer_once(connection: socket.socket) -> None:
    """Answer the first message, and end."""
    connection.sendall(connection.recv(65536).upper())


async def test_end_between_exchanges(probing: NewProbing) -> None:
    """A connection that the server ended between exchanges is a lost one, and no exchange has failed."""
    own = await _probe(probing, answer_once, count=3, sizes=[40], interval_seconds=0.5)
    assert (own.exchanges(), own[OPENED]) == ({"ok": 3}, 3)
    assert own.lost() == {"eof": 2}  # after the third nobody looks any more
    assert len(own.events.find("exchange.completed", log_level="info")) == 3  # they are far apart


@pytest.mark.parametrize(("seconds", "idle"), [(20, 0), (30, 1)])
async def test_lost_after_idle(probing: NewProbing, monkeypatch: pytest.MonkeyPatch, seconds: int, idle: int) -> None:
    """A kept connection that is lost after 30 s in which nothing moved is counted as lost after long idle as well."""
    looks, connections = itertools.count(), itertools.count()
    of_first_exchange = 3  # at the clock: connected, sent, answered; then time passes

    def clock() -> int:
        return time.perf_counter_ns() + (seconds * NANOSECONDS if next(looks) >= of_first_exchange else 0)

    def once_and_then_honest(connection: socket.socket) -> None:
        (answer_once, honest)[min(next(connections), 1)](connection)

    monkeypatch.setattr(connection_module, "perf_counter_ns", clock)
    own = await _probe(probing, once_and_then_honest, count=3, sizes=[40])
    assert (sum(own.lost().values()), own[LOST_IDLE]) == (1, idle)


async def test_target_that_starts(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody listens each exchange is refused, the target is down and the back-off grows; then it is up."""
    failures: list[int] = []

    def back_off_seconds(failed: int, _most_seconds: float) -> float:
        failures.append(failed)
        return 0.001

    monkeypatch.setattr(prober_module, "back_off_seconds", back_off_seconds)
    host, port = refusing()
    own = probing(f"{host}:{port}")
    running = asyncio.create_task(own.run())
    await eventually(lambda: own.exchanges().get("refused", 0) > 2, "some refusals")
    assert [own[metric] for metric in (OPENED, UP)] == [0, 0]
    assert failures[:3] == [1, 2, 3]
    assert {f"{host}:{port}: Connection refused"} == {each["detail"] for each in own.events.find("exchange.failed")}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data.upper())
        writer.close()

    server = await asyncio.start_server(answer, host, port)
    await eventually(lambda: own.exchanges().get("ok", 0) > 2, "good exchanges")
    assert [own[metric] for metric in (OPENED, UP)] == [1, 1]
    own.stop.set()
    await running
    server.close()


@pytest.mark.parametrize("interval", [0.001, 60.0])
async def test_stop(probing: NewProbing, interval: float) -> None:
    """Told to stop, it ends soon, also between exchanges that are far apart, and leaves no connection open."""
    with LyingServer(honest) as server:
        own = probing(server.target, interval_seconds=interval)
        running = asyncio.create_task(own.run())
        await eventually(lambda: own.exchanges().get("ok"), "an exchange")
        own.stop.set()
        await asyncio.wait_for(running, 10)
    assert own[ACTIVE] == 0
    assert own.exchanges().keys() == {"ok"}
    assert len(own.events.find("probe.summary")) == 1


async def test_stop_during_an_exchange(probing: NewProbing) -> None:
    """An exchange under way is completed."""
    asked, answer = threading.Event(), threading.Event()

    def wait(connection: socket.socket) -> None:
        data = connection.recv(65536)
        asked.set()
        answer.wait(10)
        connection.sendall(data.upper())
        honest(connection)

    with LyingServer(wait) as server:
        own = probing(server.target)
        running = asyncio.create_task(own.run())
        await eventually(asked.is_set, "the message")
        own.stop.set()
        await asyncio.sleep(0)
        answer.set()
        await asyncio.wait_for(running, 10)
    assert own.exchanges() == {"ok": 1}


async def test_slow_server(probing: NewProbing) -> None:
    """Sends held up by slow replies are late, and response times start when they were due; the first byte is its own.

    No send begins before it is due.
    """
    slow = threading.Event()

    def slowly(connection: socket.socket) -> None:
        for number, data in enumerate(iter(lambda: connection.recv(65536), b"")):
            connection.sendall(data.upper()[:1])
            while own[RECEIVED] <= number * len(data):
                slow.wait(0.001)
            slow.wait(0.1)  # nobody sets it: this is how slow the server is
            connection.sendall(data.upper()[1:])

    with LyingServer(slowly) as server:
        own = probing(server.target, count=3, sizes=[40], interval_seconds=0.03)
        await own.run()
    assert own.exchanges() == {"ok": 3}
    assert own[LATE] >= 4
    late = own.events.find("exchange.completed")[1:]
    assert all(event["response_time_seconds"] > event["service_time_seconds"] >= 0.1 for event in late)
    first_bytes = own.row[SCHEMA.slot(PHASE_DURATION, Phase.FIRST_BYTE) + PHASE_DURATION.width - 1]
    service = own.row[SCHEMA.slot(SERVICE_TIME) + SERVICE_TIME.width - 1]
    assert first_bytes <= service - 3 * 0.09 * NANOSECONDS


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
async def test_message_without_memory(probing: NewProbing, monkeypatch: pytest.MonkeyPatch, connection: str) -> None:
    """A message for which there is no memory is a failed exchange, after which the probe goes on to its count."""
    build = MessageSource.build

    def short_of_memory(source: MessageSource, number: int, sequence: int, size: int) -> Any:
        if sequence == 1:
            raise MemoryError
        return build(source, number, sequence, size)

    monkeypatch.setattr(MessageSource, "build", short_of_memory)
    own = await _probe(probing, honest, count=3, connection=connection)
    assert (own.exchanges(), own.lost()) == ({"ok": 2, "unreachable": 1}, {})
    (failed,) = own.events.find("exchange.failed", log_level="warning")
    assert failed["detail"] == "there is not enough memory"
