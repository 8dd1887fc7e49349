"""Fixtures of the server's unit tests."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from stentor_chassis.counters.metrics import Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_server.metrics import SCHEMA
from stentor_server.path.poller import PollerLoop
from unit.looping import SECONDS, Events, watched
from unit.server.serving import NewServing, RunOnLoop, Serving

ROWS = 4

watched_loop = partial(watched, PollerLoop)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run async tests as the server's workers run."""
    return {"poller": watched_loop}


@pytest.fixture
def run_on_loop() -> Iterator[RunOnLoop]:
    """Runs coroutines on a loop such as the workers have, for a test that runs one for each example of a property."""
    with asyncio.Runner(loop_factory=watched_loop) as runner:
        yield lambda scenario: runner.run(asyncio.wait_for(scenario, SECONDS))


@pytest.fixture
def serving(new_counters: Callable[[Schema, int], SharedCounters], events: Events, tmp_path: Path) -> NewServing:
    """Makes servers; to be called within the loop, with changes to the options."""

    def make(**changes: Any) -> Serving:
        return Serving(new_counters(SCHEMA, ROWS), events, tmp_path, **changes)

    return make


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Certificates, made once."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls(authority: Authority) -> dict[str, Any]:
    """Options of a server with a certificate."""
    certificate = authority.issue("server")
    return {"tls_cert": certificate, "tls_key": certificate}


@pytest.fixture(params=["tcp", "unix", "tls"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of connection in turn."""
    return str(request.param)


@pytest.fixture
def serving_kind(kind: str, serving: NewServing, tls: dict[str, Any], authority: Authority) -> NewServing:
    """Makes servers for clients of this kind."""
    return partial(serving, **tls, context=authority.trust()) if kind == "tls" else serving


@pytest.fixture
def serving_tls(serving: NewServing, tls: dict[str, Any]) -> NewServing:
    """Makes servers with a certificate."""
    return partial(serving, **tls)
