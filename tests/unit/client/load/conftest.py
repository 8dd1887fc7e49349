"""Fixtures of the tests of the load."""

from collections.abc import Iterator

import pytest

from lying import LyingServer
from unit.client.probing import honest


@pytest.fixture
def target() -> Iterator[str]:
    """The address of a server that answers right."""
    with LyingServer(honest) as server:
        yield server.target
