"""Memory of idle connections."""

import sys
from pathlib import Path

import pytest

from bench import memory
from bench.contender import Contender
from bench.load import Generator
from bench.memory import Memory, Scales


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some connections are enough here."""
    monkeypatch.setattr(memory, "CONNECTIONS", 300)
    monkeypatch.setattr(memory, "MANY_EACH", 50)
    monkeypatch.setattr(memory, "MANY_WORKERS", 2)


def test_each() -> None:
    """It is the difference, shared out."""
    assert Memory("one", 1, 100, 5000, 25000).each_bytes == 200
    assert Memory("one", 1, failure="gone").each_bytes == 0


def test_weighing(generator: Generator, peer: Contender, tmp_path: Path) -> None:
    """A connection takes some memory, and not megabytes."""
    weighed = Scales(generator, tmp_path).weigh(peer, 2)
    assert (weighed.contender, weighed.round, weighed.connections, weighed.failure) == (peer.name, 2, 300, "")
    assert 0 < weighed.each_bytes < 100_000


def test_weighing_many(generator: Generator, tmp_path: Path) -> None:
    """The server itself says how many connections its workers hold."""
    many = Scales(generator, tmp_path).weigh_many()
    assert (many.connections, many.failure) == (100, "")
    assert many.after_bytes >= many.before_bytes > 0


def test_a_server_that_does_not_start(generator: Generator, tmp_path: Path) -> None:
    """The failure is kept in place of the figures."""
    broken = Contender("broken", (sys.executable, "-c", "raise SystemExit('no')"))
    assert Scales(generator, tmp_path).weigh(broken, 1) == Memory("broken", 1, failure="no")


def test_a_server_that_does_not_take_all(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peer: Contender
) -> None:
    """Waiting ends."""
    monkeypatch.setattr(memory, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr("bench.server.open_descriptors", lambda _: 1)
    weighed = Scales(generator, tmp_path).weigh(peer, 1)
    assert weighed.failure == "the server did not take all connections"
