"""Fixtures of the integration tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser
from certificates import Authority
from processes import Server


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """One server for tests that only exchange bytes with it."""
    with Server("--workers", "2") as server:
        yield server


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own."""
    with Server("--workers", "2") as server:
        yield server


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The authority of the server's certificates."""
    return Authority(tmp_path)


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests, which takes seconds to start."""
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Browser:
    """The browser with an empty page of the test's own, as wide as that of a desk."""
    return shared_browser.begin()
