"""Fixtures of the benchmarks' tests."""

from pathlib import Path

import pytest

from bench.contender import Contender
from bench.load import Generator
from bench.peer import PEERS, UnavailableError
from bench.result import Result
from unit.bench.sample import sample


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Generator:
    """The load generator; the test is skipped where it cannot be built."""
    try:
        return Generator(tmp_path_factory.mktemp("generator"))
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture
def peer(tmp_path: Path) -> Contender:
    """A peer that needs nothing but Python."""
    plain = next(peer for peer in PEERS if peer.name == "asyncio_protocol")
    return Contender(plain.name, plain.command(tmp_path))


@pytest.fixture
def result() -> Result:
    """A small result."""
    return sample()
