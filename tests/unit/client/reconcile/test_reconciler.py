"""Reading both sides until they agree."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from stentor_chassis.failure import Failure
from stentor_client.reconcile import reconciler as reconciler_module
from stentor_client.reconcile.judging import Conclusion
from stentor_client.reconcile.quantity import Side
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.reading import Counts, Reading, Samples, of_client
from stentor_client.reconcile.reconciler import Reconciler, Result
from stentor_client.reconcile.watch import Watch
from stentor_client.verify.outcomes import NOT_REACHED
from unit.client.reconcile.endpoints import Client, Server, admin, answering, pair, prometheus

LONG = 30.0  # what agrees does so long before
SHORT = 0.6  # what does not is looked at for this long

TO_SERVER, BACK = "bytes to the server", "bytes back"
SENT = Query(Side.CLIENT, "sent_bytes", "sum(a)")
TAKEN = Query(Side.SERVER, "connections", "sum(b)")


def _run(
    client: Client,
    server: Server,
    timeout: float = LONG,
    during: float | None = None,
    queries: Sequence[Query] = (),
    told: Callable[[str], Any] = lambda _: [],
) -> Result:
    with ExitStack() as stack:
        urls = {
            Side.SERVER: [stack.enter_context(answering(admin(server)))],
            Side.CLIENT: [stack.enter_context(answering(admin(client)))],
        }
        url = stack.enter_context(answering(prometheus(told)))
        return asyncio.run(Reconciler(urls, [Watch(url, query) for query in queries], timeout).run(during))


def _found(result: Result) -> dict[str, tuple[Conclusion, float]]:
    """Return all that do not agree."""
    return {
        quantity.name: (comparison.conclusion, comparison.bracket.difference)
        for quantity, comparison in result.quantities
        if comparison.conclusion is not Conclusion.AGREE
    }


def test_agree_in_a_pause() -> None:
    """Counts that move and lag behind agree in the first pause of the traffic."""
    client, server = pair()

    def move(_: Client) -> None:
        if client.scrapes < 30:
            client.sent += 64

    def follow(_: Server) -> None:
        if client.scrapes > 40:
            server.received = server.sent = client.received = client.sent

    client.before, server.before = move, follow
    result = _run(client, server)
    assert _found(result) == {}
    assert 40 < client.scrapes < 60


@pytest.mark.parametrize(
    ("times", "during", "conclusion"), [(1.0, None, Conclusion.WITHIN), (1.1, 0.05, Conclusion.UNKNOWN)]
)
def test_traffic_without_a_pause(times: float, during: float | None, conclusion: Conclusion) -> None:
    """While all counts move all the time they agree within what moved, if that is little compared with the counts.

    A value in Prometheus that does not move cannot be compared at all.
    """
    client, server = pair(nbytes=1 << 20)

    def move(_: object, step: int = 100) -> None:
        client.sent = client.received = server.received = server.sent = int(client.sent * times) + step

    def move_half(_: Server) -> None:
        move(_, 50)

    client.before, server.before = move, move_half
    result = _run(client, server, SHORT, during, [SENT], lambda _: 5)
    ((_, query),) = result.queries
    assert (query.conclusion, query.reason.startswith("when the time began, ")) == (Conclusion.UNKNOWN, bool(during))
    assert "no scrape changed its value" in query.reason
    found = _found(result)
    assert {TO_SERVER, BACK} <= found.keys()
    assert set(found.values()) == {(conclusion, 0)}
    (bracket,) = (comparison.bracket for quantity, comparison in result.quantities if quantity.name == TO_SERVER)
    assert conclusion is Conclusion.UNKNOWN or (bracket.low, bracket.high) == (-100, 50)


def test_failed_exchanges() -> None:
    """If exchanges failed, the client need not have received as much as it sent."""
    client, server = pair()
    client.sent, server.received, server.unsent, client.failed = 1200, 1200, 200, 1
    result = _run(client, server)
    assert _found(result) == {}
    assert len(result.quantities) == 6
    client.failed = 0  # so 200 bytes are still under way, and may arrive
    assert _found(_run(client, server, SHORT))["client: sent = received"] == (Conclusion.UNKNOWN, -200)


def test_restart_meanwhile() -> None:
    """If a side restarts meanwhile, earlier readings do not count."""
    client, server = pair()
    server.received += 5

    def restart(_: Server) -> None:
        if server.scrapes == 6:
            server.started, server.received, server.sent, server.accepted = 2000.0, 70, 70, 1
            client.started, client.received, client.sent, client.opened = 2000.0, 70, 70, 1

    server.before = restart
    assert _found(_run(client, server)) == {}


def test_two_behind_one_address() -> None:
    """An endpoint that is another one at each reading cannot be read."""
    client, server = pair()

    def alternate(_: Server) -> None:
        server.started += 1

    server.before = alternate
    with pytest.raises(Failure, match="a server seems to restart all the time: is there more than one") as failure:
        _run(client, server, SHORT)
    assert failure.value.code == NOT_REACHED


@pytest.mark.parametrize("lost", [0, 1])
def test_during_with_traffic(monkeypatch: pytest.MonkeyPatch, lost: int) -> None:
    """What moves in the time counts, and what is lost in it is found, whatever was before."""
    client, server = pair()
    server.accepted, server.received, server.sent = 50, 9000, 9000

    def exchange(_: float) -> None:
        client.sent, client.received, client.failed = client.sent + 100, client.received + 100 - lost, lost
        server.received, server.sent = server.received + 100 - lost, server.sent + 100 - lost

    patched = _at_sleep(monkeypatch, 0.3, exchange)
    result = _run(client, server, SHORT if lost else LONG, during=5.0)
    assert patched == [1]
    assert result.client["sent_bytes"] == 100
    assert _found(result).get(TO_SERVER) == ((Conclusion.DIFFER, -1) if lost else None)
    assert BACK not in _found(result)


@pytest.mark.parametrize("takes", [0.004, 0.016])
@pytest.mark.parametrize("phase", range(0, 200, 20))
def test_short_pauses_are_found(monkeypatch: pytest.MonkeyPatch, phase: int, takes: float) -> None:
    """Where an exchange comes every 200 ms, a moment between two is found to begin with, whenever the first came."""
    now, (client, server) = 0.0, pair()

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async def read(_: object, counts_of: Callable[[Samples], Counts]) -> Reading:
        began = now
        await sleep(takes)
        client.sent = client.received = server.received = server.sent = int((now * 1000 + phase) // 200)
        counts = counts_of(Samples("", (client if counts_of is of_client else server).text()))
        return Reading(began=began, ended=now, started=(1000.0,), exchange_seconds=0.001, counts=counts)

    monkeypatch.setattr(reconciler_module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(reconciler_module, "sleep", sleep)
    monkeypatch.setattr(reconciler_module, "read", read)
    assert _found(asyncio.run(Reconciler({side: [] for side in Side}, [], 3.0).run(1.0))) == {}


def _at_sleep(monkeypatch: pytest.MonkeyPatch, longest: float, act: Callable[[float], None]) -> list[int]:
    """Let the time to compare pass in no time, and `act` in it; pauses between readings stay what they are."""
    acted: list[int] = []

    async def sleep(seconds: float) -> None:
        if seconds > longest:
            acted.append(1)
            act(seconds)
        else:
            await asyncio.sleep(seconds)

    monkeypatch.setattr(reconciler_module, "sleep", sleep)
    return acted


def test_queries() -> None:
    """A late answer from Prometheus is awaited."""
    client, server = pair()
    server.accepted = 3
    asked: list[str] = []

    def told(promql: str) -> Any:
        asked.append(promql)
        if len(asked) < 6:
            return []
        return {"sum(a)": 1000 if len(asked) > 12 else 900, "sum(b)": 3}[promql]

    result = _run(client, server, queries=[SENT, TAKEN], told=told)
    assert [comparison.conclusion for _, comparison in result.queries] == [Conclusion.AGREE] * 2
    assert [query for query, _ in result.queries] == [SENT, TAKEN]
    assert 12 < len(asked) < 20


def test_query_of_an_older_counter() -> None:
    """With `during`, what a proxy counted before is left out."""
    result = _run(*pair(), SHORT, during=0.1, queries=[SENT], told=lambda _: 123456)
    ((_, comparison),) = result.queries
    assert (comparison.conclusion, comparison.bracket.left, comparison.bracket.right) == (Conclusion.AGREE, 0, 0)


def test_no_time() -> None:
    """However short the time is, all quantities are compared, by two readings of each side."""
    client, server = pair()
    result = _run(client, server, 0.001)
    assert (_found(result), len(result.quantities)) == ({}, 7)
    assert (client.scrapes, server.scrapes) == (2, 2)


def test_restart_during(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a side restarts in the time compared, one line says so."""
    client, server = pair()

    def restart(_: float) -> None:
        server.started += 1

    _at_sleep(monkeypatch, 0.3, restart)
    with pytest.raises(Failure, match="a server restarted, and its earlier counts are gone") as failure:
        _run(client, server, during=5.0)
    assert failure.value.code == NOT_REACHED
