"""A run of the probe."""

import asyncio
import socket
import threading

import pytest

from lying import LyingServer, flip
from stentor_client.metrics import ACTIVE, OPENED, PHASE_DURATION, UP
from stentor_client.probe import run as run_module
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.probing import SIZES, NewProbing, Probing, honest
from unit.client.wire.naming import resolve_to
from unit.looping import eventually


async def test_start_and_summaries(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first event has the options; summaries follow regularly, and at the end.

    A probe that continues for a worker that was replaced adds to its counts and its sequence numbers.
    """
    monkeypatch.setattr(run_module, "SUMMARY_SECONDS", 0.001)
    with LyingServer(honest) as server:
        own = await probing(server.target, first=5, count=15).run()
    (started,) = own.events.find("probe.started")
    options = {"target": server.target, "count": 15, "sizes": SIZES, "connection": "persistent", "expect": "upper"}
    assert (options | {"tls": False, "proxy_protocol": None}).items() <= started.items()
    assert len(started["run"]) == 9
    assert own.exchanges() == {"ok": 10}
    assert [*range(5, 15)] == [event["sequence"] for event in own.events.find("exchange.completed")]
    *regular, last = own.events.find("probe.summary")
    assert len(regular) > 1
    nbytes = sum((SIZES * 5)[5:15])
    facts = {"exchanges": 15, "outcomes": {"ok": 15}, "connections_opened": 1, "connections_lost": 0}
    assert (facts | {"sent_bytes": nbytes, "received_bytes": nbytes}).items() <= last.items()


def _addresses(own: Probing, event: str, **fields: object) -> list[str]:
    return [each["address"] for each in own.events.find(event, **fields)]


async def test_all_addresses(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each address has its own connection, count and outcomes.

    One that failed is down until it succeeds: the target is not up again because the prober of the bad address ends
    before that of the good one.
    """
    bad_ended = threading.Event()

    def good_after_bad(connection: socket.socket) -> None:
        bad_ended.wait(20)
        honest(connection)

    with LyingServer(good_after_bad) as first, LyingServer(flip) as second:
        good, bad = first.target, second.target
        resolve_to(monkeypatch, good, bad)
        own = probing("name:1", resolve="all", count=3, sizes=[40], timeout_seconds=20.0)
        running = asyncio.create_task(own.run())
        await eventually(lambda: own.exchanges().get("mismatch") == 3, "the end of the bad address")
        bad_ended.set()
        await running
    assert own.exchanges() == {"ok": 3, "mismatch": 3}
    assert [good] * 3 == _addresses(own, "exchange.completed")
    assert [bad] * 3 == _addresses(own, "exchange.failed", outcome=Outcome.MISMATCH)
    assert (own[OPENED], own[ACTIVE], own[UP]) == (4, 0, 0)
    assert {1, 2, 3, 4} == {event["connection"] for event in own.events.find("connection.opened")}
    assert own.observed(PHASE_DURATION, Phase.RESOLVE) >= 1
    (resolved,) = own.events.find("target.resolved")
    assert (resolved["addresses"], resolved["new"], resolved["gone"]) == ([good, bad], [good, bad], [])


async def test_addresses_that_change(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new address is probed; one that is removed is ended without a loss, and no longer keeps the target down."""
    monkeypatch.setattr(run_module, "RESOLVE_SECONDS", 0.01)
    with LyingServer(flip) as one, LyingServer(honest) as two:
        first, second = one.target, two.target
        resolve_to(monkeypatch, first)
        own = probing("name:1", resolve="all", sizes=[40])
        running = asyncio.create_task(own.run())
        await eventually(lambda: first in _addresses(own, "exchange.failed"), "the first")
        resolve_to(monkeypatch, first, second)
        await eventually(lambda: second in _addresses(own, "exchange.completed"), "the second")
        assert own[UP] == 0
        resolve_to(monkeypatch, second)
        await eventually(lambda: own[UP], "the target to be up without the first")
        own.stop.set()
        await asyncio.wait_for(running, 10)
    changes = [(event["new"], event["gone"]) for event in own.events.find("target.resolved")]
    assert changes == [([first], []), ([second], []), ([], [first])]
    assert own[ACTIVE] == 0


async def test_name_that_fails_for_a_while(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the name does not resolve, each interval counts as `dns`, the target is down, and known addresses go on."""
    monkeypatch.setattr(run_module, "RESOLVE_SECONDS", 0.01)
    with LyingServer(honest) as server:
        resolve_to(monkeypatch)
        own = probing("name:1", resolve="all")
        running = asyncio.create_task(own.run())
        await eventually(lambda: own.exchanges().get("dns", 0) > 2, "failures to resolve")
        assert own.exchanges().keys() == {"dns"}
        resolve_to(monkeypatch, server.target)
        await eventually(lambda: own[UP], "the target to be up")
        resolve_to(monkeypatch)
        await eventually(lambda: not own[UP], "the target to be down")
        good = own.exchanges()["ok"]
        await eventually(lambda: own.exchanges()["ok"] > good + 3, "exchanges with the known address")
        assert own[UP] == 0
        own.stop.set()
        await asyncio.wait_for(running, 10)
    failed = own.events.find("exchange.failed")
    facts = {(event["outcome"], event["phase"], event["address"], event["detail"]) for event in failed}
    assert facts == {(Outcome.DNS, Phase.RESOLVE, None, "name:1: Name or service not known")}


async def test_count_of_a_name_that_never_resolves(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that never resolves has its count as well, and the probe an end."""
    resolve_to(monkeypatch)
    own = await probing("name:1", resolve="all", count=4).run()
    assert own.exchanges() == {"dns": 4}
    assert [event["sequence"] for event in own.events.find("exchange.failed")] == [0, 1, 2, 3]


async def test_replaced_worker_of_all_addresses(probing: NewProbing, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a replaced worker has counted is divided among the addresses."""
    with LyingServer(honest) as one, LyingServer(honest) as two:
        resolve_to(monkeypatch, one.target, two.target)
        own = await probing("name:1", resolve="all", count=5, first=6).run()
    assert own.exchanges() == {"ok": 4}
