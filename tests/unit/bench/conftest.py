"""Fixtures of the benchmarks' tests."""

import pytest

from bench.contender import Contender, contenders
from bench.load import Generator
from bench.measurement import Bench
from bench.peer import UnavailableError


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The load generator; the test is skipped if it cannot be built."""
    folder = tmp_path_factory.mktemp("bench")
    try:
        return Bench(Generator(folder), folder)
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Contender:
    """A peer that needs only Python."""
    return contenders(tmp_path_factory.mktemp("peer"), ["asyncio_protocol"])[0][0]
