"""The exchange with one target."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from lying import Behaviour, LyingServer, add, close_early, flip, reset, stall, stay_silent, truncate
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.account import Account
from stentor_client.metrics import LOST_IDLE, OPENED, PHASE_DURATION, RTT, SCHEMA, TIMED, UP
from stentor_client.probe.prober import Prober, Run
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import Outcome, Phase
from stentor_client.wire import connection as connection_module
from stentor_client.wire.dialer import Dialer, DialOptions, Endpoint
from unit.client.probe.test_options import options
from unit.client.probing import NewProbing, Probing, honest
from unit.looping import Events, eventually


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Callable[[Behaviour], tuple[LyingServer, dict[str, Any]]]]:
    """Makes servers that speak TLS, and says how to dial them."""
    authority = Authority(tmp_path)
    context = authority.serve(authority.issue("server"))
    servers: list[LyingServer] = []

    def new(behaviour: Behaviour) -> tuple[LyingServer, dict[str, Any]]:
        servers.append(LyingServer(behaviour, context))
        return servers[-1], {"tls": True, "tls_ca": authority.file}

    yield new
    for server in servers:
        server.__exit__(None, None, None)


async def _probe(probing: NewProbing, target: str, **changes: Any) -> Probing:
    """Probe a server to the end of the count."""

    async def scenario() -> Probing:
        own = probing(target, **changes)
        await own.probe.run()
        return own

    return await scenario()


async def test_mixed_connections(probing: NewProbing) -> None:
    """Turn by turn an exchange goes over the connection that is kept and over one of its own."""
    with LyingServer(honest) as server:
        own = await _probe(probing, server.target, connection="mixed", count=6, sizes=[40, 50])
    completed = own.events.find("exchange.completed")
    assert [(event["connection"], event["fresh"]) for event in completed] == [
        (1, False),
        (2, True),
        (1, False),
        (3, True),
        (1, False),
        (4, True),
    ]
    assert [event["size_bytes"] for event in completed] == [40, 40, 50, 50, 40, 40]
    assert (own.exchanges(), own.lost(), own[OPENED]) == ({"ok": 6}, {}, 4)


async def test_fresh_failure_spares_what_is_kept(probing: NewProbing) -> None:
    """A fresh connection that is lost costs the kept one nothing."""
    connections = itertools.count()

    def only_the_first(connection: socket.socket) -> None:
        (close_early if next(connections) else honest)(connection)

    with LyingServer(only_the_first) as server:
        own = await _probe(probing, server.target, connection="mixed", count=6, sizes=[40])
    assert (own.exchanges(), own.lost(), own[OPENED]) == ({"ok": 3, "eof": 3}, {"eof": 3}, 4)


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
async def test_tls(
    probing: NewProbing,
    secure: Callable[[Behaviour], tuple[LyingServer, dict[str, Any]]],
    connection: str,
) -> None:
    """Over TLS good exchanges are good, over one connection or one each, and the handshake is a phase of its own."""
    server, dial = secure(honest)
    own = await _probe(probing, server.target, dial=dial, connection=connection, count=4)
    opened = 1 if connection == "persistent" else 4
    assert (own.exchanges(), own.lost(), own[OPENED]) == ({"ok": 4}, {}, opened)
    assert [opened, opened, opened, 4] == [own.observed(PHASE_DURATION, phase) for phase in TIMED]


def answer_once(connection: socket.socket) -> None:
    """Answer in upper case, and end."""
    connection.sendall(connection.recv(65536).upper())


def stay_open(connection: socket.socket) -> None:
    """Answer, and do not end when the client has."""
    honest(connection)
    threading.Event().wait(5)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
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
async def test_when_it_went_wrong(
    probing: NewProbing,
    secure: Callable[[Behaviour], tuple[LyingServer, dict[str, Any]]],
    behaviour: Behaviour,
    outcome: Outcome,
    offset: int,
    phase: Phase,
    connection: str,
    encrypted: bool,  # noqa: FBT001
) -> None:
    """Every lie has its outcome, its offset and its phase, and over TLS the same."""
    server, dial = secure(behaviour) if encrypted else (LyingServer(behaviour), {})
    timeout = 0.2 if outcome is Outcome.TIMEOUT else 5.0
    changes = {"count": 1, "sizes": [40], "timeout_seconds": timeout, "connection": connection, "dial": dial}
    own = await _probe(probing, server.target, **changes)
    (failed,) = own.events.find("exchange.failed")
    assert (outcome, offset, phase) == (failed["outcome"], failed["offset"], failed["phase"])
    assert ({outcome: 1}, {outcome: 1}) == (own.exchanges(), own.lost())


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
    with LyingServer(once_and_then_honest) as server:
        own = await _probe(probing, server.target, count=3, sizes=[40])
    assert (sum(own.lost().values()), own[LOST_IDLE]) == (1, idle)


async def test_peer_that_does_not_end(probing: NewProbing) -> None:
    """A fresh connection that the peer does not end after this side has timed out at its close."""
    with LyingServer(stay_open) as server:
        changes = {"count": 1, "timeout_seconds": 0.1, "connection": "fresh"}
        own = await _probe(probing, server.target, **changes)
    (failed,) = own.events.find("exchange.failed")
    assert (failed["outcome"], failed["offset"], failed["phase"]) == (Outcome.TIMEOUT, None, Phase.CLOSE)


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
async def test_kernel_is_looked_at(probing: NewProbing, connection: str) -> None:
    """The round trip time is the kernel's, after an exchange on a kept connection or before the end of a fresh one."""
    with LyingServer(honest) as server:
        own = await _probe(probing, server.target, count=2, connection=connection)
    assert 0 < own[RTT] < 1_000_000


class Alone:
    """A prober without a probe around it."""

    def __init__(self, target: str, events: Events, **changes: Any) -> None:
        """Probe a target with these options."""
        dial = DialOptions(target=target, connect_timeout_seconds=5.0)
        given = options(**{"dial": dial, "interval_seconds": 0.002, "count": 3, **changes})
        self.account = Account()
        self.run = Run(
            options=given,
            dialer=Dialer(dial),
            messages=MessageSource(max(given.sizes), bytes.upper),
            numbers=itertools.count(7),
            account=self.account,
            log=events.logger,
            down=set(),
        )

    def __getitem__(self, metric: Any) -> int:
        """Return a metric's value."""
        return self.account.row[SCHEMA.slot(metric)]


async def test_one_address(events: Events) -> None:
    """Given an address it asks no name server, names it in every event, and says when it has ended."""
    ended = []

    async def scenario(target: str) -> None:
        host, _, port = target.partition(":")
        alone = Alone("no.such.name:1", events)
        endpoint = Endpoint(socket.AF_INET, (host, int(port)))
        prober = Prober(alone.run, endpoint, on_end=lambda: ended.append(prober.ended))
        await prober.run()

    with LyingServer(honest) as server:
        await scenario(server.target)
        named = [event for name in ("connection.opened", "exchange.completed") for event in events.find(name)]
        assert [server.target] * 4 == [event["address"] for event in named]
        assert [event["connection"] for event in named] == [7] * 4
    assert ended == [True]


async def test_up_while_all_are(events: Events) -> None:
    """The target is up while nobody else is down, and one that has ended is not down any more."""

    async def scenario(target: str) -> None:
        alone = Alone(target, events, count=1)
        alone.run.down.add("another")
        await Prober(alone.run).run()
        assert (alone[UP], alone.run.down) == (0, {"another"})
        alone.run.down.clear()
        await Prober(alone.run).run()
        assert alone[UP] == 1
        alone.run.count("us", Outcome.RESET)
        assert (alone[UP], alone.run.down) == (0, {"us"})
        alone.run.down.clear()
        nowhere = Alone("127.0.0.1:1", events, count=1)
        await Prober(nowhere.run).run()
        assert (nowhere[UP], nowhere.run.down) == (0, set())

    with LyingServer(honest) as server:
        await scenario(server.target)


async def test_told_to_end(events: Events) -> None:
    """Told to end it does so at once between exchanges, and once ended may be told again."""

    async def scenario(target: str) -> None:
        alone = Alone(target, events, interval_seconds=60.0, count=0)
        prober = Prober(alone.run)
        running = asyncio.create_task(prober.run())
        await eventually(lambda: events.find("exchange.completed"), "an exchange")
        prober.end()
        await asyncio.wait_for(running, 5)
        prober.end()
        assert len(events.find("exchange.completed")) == 1

    with LyingServer(honest) as server:
        await scenario(server.target)


async def test_told_to_end_in_an_exchange(events: Events) -> None:
    """An exchange under way is brought to its end."""
    asked, answer = threading.Event(), threading.Event()

    def wait(connection: socket.socket) -> None:
        data = connection.recv(65536)
        asked.set()
        answer.wait(10)
        connection.sendall(data.upper())
        honest(connection)

    async def scenario(target: str) -> None:
        prober = Prober(Alone(target, events, count=0).run)
        running = asyncio.create_task(prober.run())
        await eventually(asked.is_set, "the message")
        prober.end()
        answer.set()
        await asyncio.wait_for(running, 5)
        assert len(events.find("exchange.completed")) == 1
        assert events.find("exchange.failed") == []

    with LyingServer(wait) as server:
        await scenario(server.target)


async def test_no_send_before_its_time(events: Events) -> None:
    """The last of some sends begins no sooner than as many intervals after the first."""

    async def scenario(target: str) -> None:
        alone = Alone(target, events, count=40, interval_seconds=0.0031, sizes=[40])
        began = time.perf_counter_ns()
        await Prober(alone.run).run()
        assert time.perf_counter_ns() - began >= 39 * 0.0031 * NANOSECONDS

    with LyingServer(honest) as server:
        await scenario(server.target)
