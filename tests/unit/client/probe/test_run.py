"""The continuous exchange."""

import asyncio
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lying import Behaviour, LyingServer, add, close_early, flip, repeat_the_first, reset, stay_silent, truncate
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.metrics import (
    ACTIVE,
    LAST_SUCCESS,
    LATE,
    OPENED,
    PHASE_DURATION,
    RECEIVED,
    RESPONSE_TIME,
    SCHEMA,
    SENT,
    SERVICE_TIME,
    TIMED,
    UP,
)
from stentor_client.probe import prober as prober_module
from stentor_client.probe import run as probe_module
from stentor_client.timing import back_off
from stentor_client.verify.outcomes import Outcome, Phase
from stentor_client.wire.dialer import Dialer, DialRecord, Endpoint
from unit.client.probing import SIZES, NewProbing, Probing, honest
from unit.looping import eventually


def echo(connection: socket.socket) -> None:
    """Send back as it came."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data)


def answer_once(connection: socket.socket) -> None:
    """Answer the first message, and end."""
    connection.sendall(connection.recv(65536).upper())


async def _probe(probing: NewProbing, behaviour: Behaviour, **changes: Any) -> Probing:
    """Probe a server to the end of the count."""

    async def scenario(target: str) -> Probing:
        own = probing(target, **changes)
        await own.probe.run()
        assert own[ACTIVE] == 0
        return own

    with LyingServer(behaviour) as server:
        return await scenario(server.target)


@pytest.mark.parametrize(("connection", "opened"), [("persistent", 1), ("fresh", 7)])
async def test_good_exchanges(probing: NewProbing, connection: str, opened: int) -> None:
    """Good exchanges are counted to the byte, over one connection or one each, and none is lost."""
    own = await _probe(probing, honest, connection=connection, count=7)
    assert ({"ok": 7}, {}, opened) == (own.exchanges(), own.lost(), own[OPENED])
    nbytes = sum((SIZES * 3)[:7])
    assert (nbytes, nbytes) == (own[SENT], own[RECEIVED])
    assert [own.observed(metric) for metric in (RESPONSE_TIME, SERVICE_TIME)] == [7, 7]
    assert [opened, opened, 0, 7] == [own.observed(PHASE_DURATION, phase) for phase in TIMED]
    assert own[UP] == 1
    assert 0 <= time.time_ns() - own[LAST_SUCCESS] < 60_000_000_000
    completed = own.events.find("exchange.completed")
    assert list(range(7)) == [event["sequence"] for event in completed]
    assert (SIZES * 3)[:7] == [event["size_bytes"] for event in completed]
    assert all(event["response_time_seconds"] >= event["service_time_seconds"] > 0 for event in completed)
    (summary,) = own.events.find("probe.summary")
    facts = {"exchanges": 7, "outcomes": {"ok": 7}, "connections_opened": opened, "connections_lost": 0}
    assert (facts | {"sent_bytes": nbytes, "received_bytes": nbytes}).items() <= summary.items()


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
@pytest.mark.parametrize(
    ("behaviour", "outcome", "offset"),
    [
        (flip, Outcome.MISMATCH, 4),
        (truncate, Outcome.SHORT, 39),
        (add, Outcome.EXTRA, 40),
        (close_early, Outcome.EOF, 0),
        (reset, Outcome.RESET, 0),
        (stay_silent, Outcome.TIMEOUT, 0),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_lies(
    probing: NewProbing,
    connection: str,
    behaviour: Behaviour,
    outcome: Outcome,
    offset: int,
) -> None:
    """Every way a reply can be wrong has its outcome and offset, costs the connection, and the next gets a new one."""
    timeout = 0.1 if outcome is Outcome.TIMEOUT else 5.0
    own = await _probe(probing, behaviour, connection=connection, count=2, sizes=[40], timeout_seconds=timeout)
    assert ({outcome: 2}, {outcome: 2}) == (own.exchanges(), own.lost())
    assert (own[OPENED], own[UP]) == (2, 0)
    assert own[SENT] == 80
    failed = own.events.find("exchange.failed", outcome=outcome)
    assert [offset, offset] == [event["offset"] for event in failed]
    assert len(own.events.find("connection.lost", outcome=outcome)) == 2
    assert own.observed(RESPONSE_TIME) == 0


async def test_byte_too_much_at_the_end(probing: NewProbing) -> None:
    """A byte too much after the last reply costs the connection; no exchange is counted that was not made."""

    def add_at_the_end(connection: socket.socket) -> None:
        honest(connection)
        connection.sendall(b"!")

    own = await _probe(probing, add_at_the_end, count=2, sizes=[40])
    assert (own.exchanges(), own.lost()) == ({"ok": 2}, {"extra": 1})
    assert own.events.find("exchange.failed") == []
    assert own.events.find("connection.lost", outcome=Outcome.EXTRA, actual="!")


async def test_peer_that_does_not_leave(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long the peer takes to end its side after the last reply is its own affair, and the probe does not wait."""
    monkeypatch.setattr(prober_module, "CLOSE_SECONDS", 0.05)

    def stay(connection: socket.socket) -> None:
        honest(connection)
        threading.Event().wait(5.0)

    own = await _probe(probing, stay, count=2)
    assert (own.exchanges(), own.lost()) == ({"ok": 2}, {})


async def test_stale_reply(probing: NewProbing) -> None:
    """A right reply to another message is wrong."""
    own = await _probe(probing, repeat_the_first, count=2, sizes=[64])
    assert own.exchanges() == {"ok": 1, "mismatch": 1}


async def test_what_is_wrong_is_logged(probing: NewProbing) -> None:
    """The line of a mismatch shows what should have come and what came, from the first wrong byte on."""
    own = await _probe(probing, flip, count=1, sizes=[8])
    (failed,) = own.events.find("exchange.failed")
    expected, actual = failed["expected"], failed["actual"]
    assert 4 == len(expected) == len(actual)
    assert ord(expected[0]) ^ 1 == ord(actual[0])
    assert expected[1:] == actual[1:]


async def test_echo(probing: NewProbing) -> None:
    """What a reply must be is an option."""
    assert (await _probe(probing, echo, expect="echo", count=3, sizes=[300])).exchanges() == {"ok": 3}
    assert (await _probe(probing, echo, expect="upper", count=3, sizes=[300])).exchanges() == {"mismatch": 3}


async def test_refused(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens each exchange is refused, and no connection is opened, open or lost."""
    monkeypatch.setattr(back_off, "FIRST_SECONDS", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
    own = probing(target, count=4)
    await own.probe.run()
    assert (own.exchanges(), own.lost()) == ({"refused": 4}, {})
    assert [own[metric] for metric in (OPENED, ACTIVE, UP)] == [0, 0, 0]
    assert {f"{target}: Connection refused"} == {event["detail"] for event in own.events.find("exchange.failed")}


@pytest.mark.parametrize("host", ["no.such.name." * 20, "a..b"], ids=["long", "gap"])
async def test_name_that_does_not_resolve(probing: NewProbing, host: str) -> None:
    """A name that cannot be resolved is an outcome, not the end of the probe."""
    own = probing(f"{host}:80", count=2)
    await own.probe.run()
    assert own.exchanges() == {"dns": 2}


async def test_target_that_comes_up(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that comes back is found again, and said to be up."""
    monkeypatch.setattr(back_off, "FIRST_SECONDS", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    own = probing(f"127.0.0.1:{port}")
    running = asyncio.create_task(own.probe.run())
    await eventually(lambda: own.exchanges().get("refused", 0) > 2, "some refusals")
    assert own[UP] == 0
    server = await asyncio.start_server(_honest_stream, "127.0.0.1", port)
    await eventually(lambda: own.exchanges().get("ok", 0) > 2, "good exchanges")
    assert (own[UP], own[OPENED]) == (1, 1)
    own.stop.set()
    await running
    server.close()


async def _honest_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data.upper())
    writer.close()


async def test_end_between_exchanges(probing: NewProbing) -> None:
    """A connection that the server ended between exchanges is a lost one, and no exchange has failed."""
    own = await _probe(probing, answer_once, count=3, sizes=[40], interval_seconds=0.2)
    assert (own.exchanges(), own[OPENED]) == ({"ok": 3}, 3)
    assert own.lost() == {"eof": 2}  # after the third nobody looks any more


@pytest.mark.parametrize("interval", [0.001, 60.0])
async def test_stop(probing: NewProbing, interval: float) -> None:
    """Told to stop, it ends soon, also between exchanges that are far apart, and leaves no connection open."""

    async def scenario(target: str) -> None:
        own = probing(target, interval_seconds=interval)
        running = asyncio.create_task(own.probe.run())
        await eventually(lambda: own.exchanges().get("ok"), "an exchange")
        own.stop.set()
        await asyncio.wait_for(running, 5)
        assert own[ACTIVE] == 0
        assert own.exchanges().keys() == {"ok"}
        assert len(own.events.find("probe.summary")) == 1

    with LyingServer(honest) as server:
        await scenario(server.target)


async def test_goes_on_for_one_that_is_gone(probing: NewProbing) -> None:
    """A probe that takes over goes on with the number after the last, and the count is that of both together."""

    async def scenario(target: str) -> None:
        own = probing(target, first=5, count=8)
        await own.probe.run()
        assert own.exchanges() == {"ok": 3}
        assert [event["sequence"] for event in own.events.find("exchange.completed")] == [5, 6, 7]
        (summary,) = own.events.find("probe.summary")
        assert (summary["exchanges"], summary["outcomes"], summary["connections_opened"]) == (8, {"ok": 8}, 1)

    with LyingServer(honest) as server:
        await scenario(server.target)


async def test_first_byte(probing: NewProbing) -> None:
    """The first byte is timed by itself: how long the rest takes shows in the service time only."""

    def slowly(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            connection.sendall(data.upper()[:1])
            threading.Event().wait(1.0)  # the length is what is tested
            connection.sendall(data.upper()[1:])

    own = await _probe(probing, slowly, count=1, sizes=[40])
    first_byte = own.row[SCHEMA.slot(PHASE_DURATION, Phase.FIRST_BYTE) + PHASE_DURATION.width - 1]
    service = own.row[SCHEMA.slot(SERVICE_TIME) + SERVICE_TIME.width - 1]
    assert service >= 1.0 * NANOSECONDS
    assert first_byte < service - 0.5 * NANOSECONDS


async def test_held_up(probing: NewProbing) -> None:
    """Sends that a slow reply held up are counted as late, and the response time counts from when they were due."""
    slow = threading.Event()

    def hold_the_first(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            slow.wait(0.1)  # nobody sets it: it is how slow the server is
            connection.sendall(data.upper())

    own = await _probe(probing, hold_the_first, count=3, sizes=[40], interval_seconds=0.03)
    assert own.exchanges() == {"ok": 3}
    assert own[LATE] >= 4
    late = own.events.find("exchange.completed")[1:]
    assert all(event["response_time_seconds"] > event["service_time_seconds"] >= 0.1 for event in late)


@pytest.mark.parametrize(("interval", "level"), [(0.001, "debug"), (0.5, "info")])
async def test_frequent_exchanges_are_quiet(probing: NewProbing, interval: float, level: str) -> None:
    """Good exchanges that follow each other fast are for debugging only."""
    own = await _probe(probing, honest, count=1, interval_seconds=interval)
    assert own.events.find("exchange.completed", log_level=level)


async def test_summary_now_and_then(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A summary is logged from time to time, and at the end."""
    monkeypatch.setattr(probe_module, "SUMMARY_SECONDS", 0.001)
    own = await _probe(probing, honest, count=10)
    totals = [event["exchanges"] for event in own.events.find("probe.summary")]
    assert len(totals) > 2
    assert sorted(totals) == totals
    assert totals[-1] == 10


async def test_what_it_does_is_logged(probing: NewProbing) -> None:
    """The first line says with which options it probes, and as which run."""
    own = await _probe(probing, honest, count=1)
    (started,) = own.events.find("probe.started")
    assert {"count": 1, "sizes": SIZES, "connection": "persistent", "expect": "upper"}.items() <= started.items()
    assert len(started["run"]) == 8


class Name:
    """A name whose addresses the test changes; without any it does not resolve."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
        """Have the addresses of these targets, and look for new ones often."""
        monkeypatch.setattr(probe_module, "RESOLVE_SECONDS", 0.01)
        self.has(*targets)

        async def resolve(dialer: Dialer, record: DialRecord) -> list[Endpoint]:
            with record.timed(Phase.RESOLVE):
                if not self._endpoints:
                    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return self._endpoints

        monkeypatch.setattr(Dialer, "resolve", resolve)

    def has(self, *targets: str) -> None:
        """Have other addresses."""
        pairs = (target.split(":") for target in targets)
        self._endpoints = [Endpoint(socket.AF_INET, (host, int(port))) for host, port in pairs]


def _addresses(own: Probing, event: str, **fields: object) -> list[str]:
    return [each["address"] for each in own.events.find(event, **fields)]


async def test_all_addresses(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address has its own connection, its own count and its own outcomes, and the target is up if all are."""

    async def scenario(good: str, bad: str) -> None:
        Name(monkeypatch, good, bad)
        own = probing("name:1", resolve="all", count=3, sizes=[40])
        await own.probe.run()
        assert own.exchanges() == {"ok": 3, "mismatch": 3}
        assert [good] * 3 == _addresses(own, "exchange.completed")
        assert [bad] * 3 == _addresses(own, "exchange.failed", outcome=Outcome.MISMATCH)
        assert (own[OPENED], own[ACTIVE], own[UP]) == (4, 0, 0)
        numbers = [event["connection"] for event in own.events.find("connection.opened")]
        assert len({*numbers}) == 4
        assert own.observed(PHASE_DURATION, Phase.RESOLVE) >= 1
        (resolved,) = own.events.find("target.resolved")
        assert (resolved["addresses"], resolved["new"], resolved["gone"]) == ([good, bad], [good, bad], [])

    with LyingServer(honest) as first, LyingServer(flip) as second:
        await scenario(first.target, second.target)


async def test_addresses_that_come_and_go(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the name has anew is probed, and what it no longer has is ended, without a loss."""

    async def scenario(first: str, second: str) -> None:
        name = Name(monkeypatch, first)
        own = probing("name:1", resolve="all")
        running = asyncio.create_task(own.probe.run())
        await eventually(lambda: first in _addresses(own, "exchange.completed"), "the first")
        name.has(first, second)
        await eventually(lambda: second in _addresses(own, "exchange.completed"), "the second")
        name.has(second)
        await eventually(lambda: own[ACTIVE] == 1, "the end of the first")
        before = len(_addresses(own, "exchange.completed"))
        await eventually(lambda: len(_addresses(own, "exchange.completed")) > before + 3, "more of the second")
        assert {second} == {*_addresses(own, "exchange.completed")[before:]}
        own.stop.set()
        await asyncio.wait_for(running, 5)
        assert own.exchanges().keys() == {"ok"}
        assert (own.lost(), own[ACTIVE]) == ({}, 0)
        changes = [(event["new"], event["gone"]) for event in own.events.find("target.resolved")]
        assert changes == [([first], []), ([second], []), ([], [first])]

    with LyingServer(honest) as one, LyingServer(honest) as two:
        await scenario(one.target, two.target)


async def test_name_that_comes_and_goes(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the name does not resolve each interval counts as `dns`, the target is down, and what was known goes on."""

    async def scenario(target: str) -> None:
        name = Name(monkeypatch)
        own = probing("name:1", resolve="all")
        running = asyncio.create_task(own.probe.run())
        await eventually(lambda: own.exchanges().get("dns", 0) > 2, "failures to resolve")
        assert own.exchanges().keys() == {"dns"}
        name.has(target)
        await eventually(lambda: own[UP], "the target to be up")
        name.has()
        await eventually(lambda: not own[UP], "the target to be down")
        good = own.exchanges()["ok"]
        await eventually(lambda: own.exchanges()["ok"] > good + 3, "exchanges with the address that was known")
        assert own[UP] == 0
        own.stop.set()
        await asyncio.wait_for(running, 5)
        failed = own.events.find("exchange.failed")
        assert {(Outcome.DNS, Phase.RESOLVE, None)} == {
            (event["outcome"], event["phase"], event["address"]) for event in failed
        }
        assert {"name:1: Name or service not known"} == {event["detail"] for event in failed}

    with LyingServer(honest) as server:
        await scenario(server.target)


async def test_count_of_a_name_that_never_resolves(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that never resolves has its count as well, and the probe an end."""
    Name(monkeypatch)
    own = probing("name:1", resolve="all", count=4)
    await own.probe.run()
    assert own.exchanges() == {"dns": 4}
    assert [event["sequence"] for event in own.events.find("exchange.failed")] == [0, 1, 2, 3]


async def test_all_of_a_unix_socket(probing: NewProbing, tmp_path: Path) -> None:
    """A Unix socket is the one address that it has."""

    async def scenario(path: str) -> None:
        server = await asyncio.start_unix_server(_honest_stream, path)
        own = probing(f"unix:{path}", resolve="all", count=2)
        await own.probe.run()
        assert own.exchanges() == {"ok": 2}
        assert [f"unix:{path}"] * 2 == _addresses(own, "exchange.completed")
        server.close()

    await scenario(str(tmp_path / "socket"))


async def test_all_goes_on_for_one_that_is_gone(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one that is gone has done counts for all addresses alike."""

    async def scenario(first: str, second: str) -> None:
        Name(monkeypatch, first, second)
        own = probing("name:1", resolve="all", count=5, first=6)
        await own.probe.run()
        assert own.exchanges() == {"ok": 4}

    with LyingServer(honest) as one, LyingServer(honest) as two:
        await scenario(one.target, two.target)
