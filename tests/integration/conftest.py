"""Fixtures of the integration tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Browser
from certificates import Authority
from processes import Server

# Who starts the tests in the background has them ignore Ctrl-C, and every process that they start would as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


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


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser of the test's own, as wide as that of a desk."""
    with Browser(tmp_path / "profile") as browser:
        browser.look()
        yield browser
