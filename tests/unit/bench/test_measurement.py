"""One measurement, and the rounds of many."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import cast
from unittest.mock import patch

import pytest

from bench import memory, scrape
from bench.contender import Contender, stentor
from bench.load import Generator, Load
from bench.measurement import Bench, Group, Run
from bench.process import cpu_seconds, pinned, waited_seconds
from bench.rounds import QUIET, SILENT, WATCHED, Series, all_series
from bench.server import Server
from bench.workload import Cell, Timing
from waiting import until

SHORT = Timing(rounds=1, seconds=0.1, warmup_seconds=0.05, first_seconds=0.05, slices=3)
CELL = Cell("small", "small", connections=4)
BROKEN = Contender("broken", (sys.executable, "-c", "raise SystemExit('no such luck')"))
DYING = "import socket; c, _ = socket.create_server(('127.0.0.1', 0)).accept(); c.recv(1)"


def test_processor_time() -> None:
    """It is that of this process, to the microsecond; two busy processes on one core wait for each other."""
    before, cores = time.process_time(), os.sched_getaffinity(0)
    while time.process_time() < before + 0.02:
        pass
    assert before + 0.02 <= cpu_seconds(os.getpid()) <= time.process_time()
    spin = [sys.executable, "-c", "while True: pass"]
    with pinned([max(cores)]), subprocess.Popen(spin) as one, subprocess.Popen(spin) as other:
        assert os.sched_getaffinity(one.pid) == {max(cores)}
        until(lambda: waited_seconds(one.pid) and waited_seconds(other.pid), "both to wait")
        one.kill()
        other.kill()
    assert os.sched_getaffinity(0) == cores


def test_two_servers_by_turns(bench: Bench, peer: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all generators count in all slices is added up, and only the server that is to be scraped is scraped."""
    scrapes, results, wait_for = set[int](), list[dict[str, float]](), Load.wait_for

    def wait(load: Load, stage: str) -> dict[str, float]:
        results.append(wait_for(load, stage))
        return results[-1]

    monkeypatch.setattr(scrape, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(Server, "get", lambda server, _: scrapes.add(server.port))
    monkeypatch.setattr(Load, "wait_for", wait)
    one, two = replace(peer, name="one"), replace(peer, name="two", scraped=True)
    with patch.object(Generator, "running", autospec=True, side_effect=Generator.running) as running:
        runs = bench.measure(((CELL, one), (replace(CELL, generator_cores=(0, 1)), two)), SHORT, 2)
    assert [(run.contender, run.round, run.failure) for run in runs] == [("one", 2, ""), ("two", 2, "")]
    a, b, *ports = (call.args[1] for call in running.call_args_list)
    assert (a != b, ports) == (True, [a, b, b, b, b, a, a, b, b])
    assert scrapes == {b}
    assert sum(run.exchanges for run in runs) == sum(result.get("exchanges", 0) for result in results[2:])
    for run in runs:
        assert run.seconds >= 3 * SHORT.seconds
        assert run.rate == run.exchanges / run.seconds > 0
        assert run.cpu_us == run.server_cpu_seconds / run.exchanges * 1e6 > 0
        assert 0 < run.server_utilisation < 1.5
        assert 0 <= run.server_waiting < 1
        assert 0 < run.p50_us <= run.p99_us


@pytest.mark.parametrize(
    ("failing", "reason"),
    [(BROKEN, "no such luck"), (Contender("dying", (sys.executable, "-c", DYING)), "load: "), (None, "no scrape")],
)
def test_one_that_fails(
    bench: Bench, peer: Contender, failing: Contender | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is kept, and there are no figures for the others of the group."""

    def refuse(*_: object) -> str:
        raise OSError("no scrape")

    monkeypatch.setattr(Server, "get", refuse)
    monkeypatch.setattr(scrape, "INTERVAL_SECONDS", 0.0)
    runs = bench.measure(((CELL, peer), (CELL, failing or replace(peer, scraped=True))), SHORT, 1)
    assert all(run == Run("small", run.contender, 1, failure=run.failure) for run in runs)
    assert all(run.failure.startswith(reason) and not run.rate and not run.cpu_us for run in runs)


def test_memory(bench: Bench, peer: Contender, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server holds the connections of every load process, or the reason why not is kept."""
    found = memory.measure(bench, peer, 2, loads=2, each=150)
    assert (found.contender, found.round, found.connections, found.failure) == (peer.name, 2, 300, "")
    assert 0 < found.each_bytes < 100_000
    monkeypatch.setattr(memory, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(memory, "open_descriptors", lambda _: 1)
    found = memory.measure(bench, peer, 1, each=300)
    assert (found.failure, found.each_bytes) == ("the server did not accept all connections", 0)


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
    pairs = [(cell.name, one.name) for each in series for group in each.groups for cell, one in group]
    assert {name for _, name in pairs} == {"stentor", "epoll", "go", QUIET, SILENT, WATCHED}
    assert len(set(pairs)) == len(pairs) == 7 * 3 + 2 * 3 + 2 + 2 + 2 + 15 * 2
