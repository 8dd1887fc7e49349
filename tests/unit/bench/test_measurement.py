"""One measurement, and the rounds of many."""

import sys
from dataclasses import replace
from typing import cast

import pytest

from bench import memory, scrape
from bench.contender import Contender, stentor
from bench.measurement import Bench, Group, Run
from bench.memory import Memory
from bench.rounds import Series, all_series
from bench.server import Server
from bench.workload import MAIN, WORKERS, Cell, Timing

SHORT = Timing(rounds=1, seconds=0.1, warmup_seconds=0.05, first_seconds=0.05)
CELL = Cell("small", "small", connections=4)
BROKEN = Contender("broken", (sys.executable, "-c", "raise SystemExit('no such luck')"))
DYING = (
    "import socket; s = socket.create_server(('127.0.0.1', 0)); c, _ = s.accept(); c.recv(1); raise SystemExit('dead')"
)


def test_figures() -> None:
    """Rate and cost are per message, and 0 if there was none."""
    run = Run("cell", "peer", 1, exchanges=500, seconds=2.0, server_cpu_seconds=0.001, late=5)
    assert (run.rate, run.cpu_us, run.late_share) == (250, 2, 0.01)
    empty = Run("cell", "peer", 1)
    assert (empty.rate, empty.cpu_us, empty.late_share) == (0, 0, 1)
    assert Memory("one", 1, 100, 5000, 25000).each_bytes == 200


def test_two_servers_by_turns(bench: Bench, peer: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slices of each are added up, and only the server that is to be scraped is scraped."""
    scrapes: list[int] = []
    monkeypatch.setattr(scrape, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(Server, "get", lambda server, _: scrapes.append(server.port))
    one, two = replace(peer, name="one"), replace(peer, name="two", scraped=True)
    group = (CELL, one), (replace(CELL, generator_cores=(0, 1)), two)
    runs = bench.measure(group, replace(SHORT, slices=3), 2)
    assert [(run.contender, run.round, run.failure) for run in runs] == [("one", 2, ""), ("two", 2, "")]
    for run in runs:
        assert run.exchanges > 0
        assert run.seconds >= 3 * SHORT.seconds
        assert run.server_cpu_seconds > 0
        assert 0 < run.server_utilisation < 1.5
        assert 0 <= run.server_waiting < 1
        assert 0 < run.p50_us <= run.p99_us
    assert len(set(scrapes)) == 1


@pytest.mark.parametrize(
    ("failing", "reason"),
    [(BROKEN, "no such luck"), (Contender("dying", (sys.executable, "-c", DYING)), "load: "), ("scrape", "no scrape")],
)
def test_one_that_fails(
    bench: Bench, peer: Contender, failing: Contender | str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is kept, and there are no figures for the others of the group."""

    def refuse(*_: object) -> str:
        raise OSError("no scrape")

    monkeypatch.setattr(Server, "get", refuse)
    monkeypatch.setattr(scrape, "INTERVAL_SECONDS", 0.0)
    other = replace(peer, name="scraped", scraped=True) if isinstance(failing, str) else failing
    for run in bench.measure(((CELL, peer), (CELL, other)), replace(SHORT, slices=2), 1):
        assert run == replace(Run("small", run.contender, 1), failure=run.failure)
        assert run.failure.startswith(reason)


def test_memory(bench: Bench, peer: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server holds the connections, or the reason why not is kept."""
    monkeypatch.setattr(memory, "MANY_EACH", 50)
    monkeypatch.setattr(memory, "MANY_WORKERS", 2)
    found = memory.measure(bench, peer, 2, each=300)
    assert (found.contender, found.round, found.connections, found.failure) == (peer.name, 2, 300, "")
    assert 0 < found.each_bytes < 100_000
    many = memory.measure_many(bench)
    assert (many.connections, many.failure) == (100, "")
    assert memory.measure(bench, BROKEN, 1) == Memory("broken", 1, failure="no such luck")
    monkeypatch.setattr(memory, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(memory, "open_descriptors", lambda _: 1)
    assert memory.measure(bench, peer, 1, each=300).failure == "the server did not accept all connections"


@pytest.mark.parametrize("slices", [0, 3])
def test_rounds(slices: int) -> None:
    """Each cell is measured with all servers before the next one, and another server begins each round."""

    class Recorder:
        def measure(self, group: Group, _: Timing, round_: int) -> list[Run]:
            assert len(group) == (3 if slices else 1)
            return [Run(cell.name, contender.name, round_) for cell, contender in group]

    groups = tuple(tuple((Cell(cell, cell), Contender(name, ())) for name in "xyz") for cell in "ab")
    series = Series("title", groups, Timing(rounds=2, seconds=1, slices=slices))
    order = [f"{run.round}{run.cell}{run.contender}" for run in series.runs(cast("Bench", Recorder()))]
    assert order == ["1ax", "1ay", "1az", "1bx", "1by", "1bz", "2ay", "2az", "2ax", "2by", "2bz", "2bx"]


def test_everything_is_measured(bench: Bench) -> None:
    """The full measurement has all cells, and all comparisons of Stentor with itself."""
    series = all_series([stentor(), Contender("epoll", ()), Contender("go", ())], bench.folder)
    runs = {(cell.name, contender.name) for one in series for group in one.groups for cell, contender in group}
    assert {(cell.name, name) for cell in MAIN for name in ("stentor", "epoll", "go")} <= runs
    assert {(cell.name, "stentor") for cell in WORKERS} <= runs
    assert {("observed", name) for name in ("stentor", "stentor-quiet", "stentor-silent")} <= runs
    assert {("scraped", "stentor"), ("scraped", "stentor-watched"), ("size-64", "epoll")} <= runs
    assert ("size-64", "go") not in runs
