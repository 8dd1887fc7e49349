"""One measurement."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import measurement
from bench.contender import Contender
from bench.load import Generator
from bench.measurement import Laboratory, Run, rotated
from bench.server import Server
from bench.workload import Cell, Timing

SHORT = Timing(rounds=1, seconds=0.2, warmup_seconds=0.05, first_seconds=0.05)
CELL = Cell("small", "small", connections=4)


def test_figures() -> None:
    """Rate and cost are for each message, and 0 where there was none."""
    run = Run("cell", "peer", 1, exchanges=500, seconds=2.0, server_cpu_seconds=0.001)
    assert (run.rate, run.cpu_us) == (250, 2)
    empty = Run("cell", "peer", 1)
    assert (empty.rate, empty.cpu_us) == (0, 0)


def test_a_run(generator: Generator, peer: Contender, tmp_path: Path) -> None:
    """A run has the server's processor time, and the times of the replies."""
    run = Laboratory(generator, tmp_path).run(CELL, peer, SHORT, 3)
    assert (run.cell, run.contender, run.round, run.failure) == ("small", peer.name, 3, "")
    assert run.exchanges > 0
    assert 0 < run.server_cpu_seconds < 1
    assert 0 < run.server_utilisation < 1.5
    assert 0 <= run.server_waiting < 1
    assert 0 < run.p50_us <= run.p99_us


def test_two_generators(generator: Generator, peer: Contender, tmp_path: Path) -> None:
    """What two generators came to is added up."""
    cell = Cell("two", "two", connections=4, generator_cores=(0, 1))
    run = Laboratory(generator, tmp_path).run(cell, peer, SHORT, 1)
    assert (run.exchanges > 0, run.failure) == (True, "")


def test_a_server_that_does_not_start(generator: Generator, tmp_path: Path) -> None:
    """The run says why there is nothing."""
    broken = Contender("broken", (sys.executable, "-c", "raise SystemExit('no such luck')"))
    run = Laboratory(generator, tmp_path).run(CELL, broken, SHORT, 1)
    assert run == Run("small", "broken", 1, failure="no such luck")


def test_a_server_that_dies(generator: Generator, tmp_path: Path) -> None:
    """The run says so."""
    dying = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
        "s.accept(); c, _ = s.accept(); c.recv(1); sys.exit()"
    )
    run = Laboratory(generator, tmp_path).run(CELL, Contender("dying", (sys.executable, "-c", dying)), SHORT, 1)
    assert run.failure.startswith("load: ")


def test_a_comparison(generator: Generator, peer: Contender, tmp_path: Path) -> None:
    """Two servers take turns, and what each came to in its slices is added up."""
    other = Contender("other", peer.command)
    timing = replace(SHORT, slices=3)
    runs = Laboratory(generator, tmp_path).compare(((CELL, peer), (CELL, other)), timing, 2)
    assert [(run.contender, run.round, run.failure) for run in runs] == [(peer.name, 2, ""), ("other", 2, "")]
    for run in runs:
        assert run.seconds >= 3 * SHORT.seconds
        assert run.exchanges > 0
        assert 0 < run.server_cpu_seconds < run.seconds + 1
        assert 0 < run.p50_us <= run.p99_us


def test_only_the_watched_is_scraped(
    generator: Generator, peer: Contender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is to be scraped is while it is measured, and the one beside it never."""
    watched: list[Server] = []

    @contextmanager
    def scraped(server: Server) -> Iterator[None]:
        watched.append(server)
        yield

    monkeypatch.setattr(measurement, "scraped", scraped)
    group = ((CELL, peer), (CELL, replace(peer, name="watched", scraped=True)))
    runs = Laboratory(generator, tmp_path).compare(group, replace(SHORT, slices=2), 1)
    assert [run.failure for run in runs] == ["", ""]
    assert len(watched) == 2
    assert len({server.port for server in watched}) == 1


def test_a_comparison_in_which_one_fails(generator: Generator, peer: Contender, tmp_path: Path) -> None:
    """Without one of them there is nothing to compare."""
    broken = Contender("broken", (sys.executable, "-c", "raise SystemExit('no such luck')"))
    runs = Laboratory(generator, tmp_path).compare(((CELL, peer), (CELL, broken)), replace(SHORT, slices=2), 1)
    assert [(run.contender, run.exchanges, run.failure) for run in runs] == [
        (peer.name, 0, "no such luck"),
        ("broken", 0, "no such luck"),
    ]


def test_rotated() -> None:
    """After as many places as there are, it begins anew."""
    group = ("x", "y", "z")
    assert [rotated(group, by) for by in (1, 2, 3)] == [("y", "z", "x"), ("z", "x", "y"), group]
