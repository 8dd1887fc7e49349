"""Fixtures of the unit tests."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator

import click
import pytest
from hypothesis import HealthCheck, settings

from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_chassis.options.command_line import run
from unit.ending import Ended, RunCommand
from unit.looping import Events, complaints, watched

# How long an example takes, or takes to draw, says nothing on a busy machine, and no example is worth a file.
settings.register_profile(
    "unit", deadline=None, database=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer has set must not leak into the tests."""
    for name in [*os.environ]:
        if name.startswith("STENTOR_") or name == "NO_COLOR":
            monkeypatch.delenv(name)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run async tests as control processes run."""
    return {"asyncio": watched}


@pytest.fixture(autouse=True)
def no_complaints() -> Iterator[None]:
    """Fail the test if a callback raised; what is left of a test before it, and complains later, does not count."""
    noted = complaints[0] = []
    yield
    assert noted == []


@pytest.fixture
def events() -> Events:
    """A logger and what it logged."""
    return Events()


@pytest.fixture
def new_counters() -> Iterator[Callable[[Schema, int], SharedCounters]]:
    """Makes boards, and closes their descriptors."""
    fds: list[int] = []

    def make(schema: Schema, rows: int) -> SharedCounters:
        counters = SharedCounters(schema, rows)
        fds.append(counters.fd)
        return counters

    yield make
    for fd in fds:
        os.close(fd)


@pytest.fixture
def run_command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[RunCommand]:
    """Runs a command line within the test, up to the exit of the process."""
    before = signal.getsignal(signal.SIGTERM)

    def ended(command: click.Command, *arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["a-service", *arguments])
        with pytest.raises(SystemExit) as end:
            run(command, "a-service")
        written = capfd.readouterr()
        return Ended(end.value.code, written.out, written.err)

    yield ended
    signal.signal(signal.SIGTERM, before)
