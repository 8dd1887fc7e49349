"""What the command line says of a load."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.load.arrivals import Rate
from stentor_client.load.options import LoadOptions
from unit.client.load.loading import load_options


@pytest.mark.parametrize("rate", [None, Rate(5, 50)])
def test_travels_as_json(rate: Rate | None) -> None:
    """What a worker reads is what the control process has."""
    options = load_options("[::1]:8080", rate=rate, sizes=[1, 2])
    assert LoadOptions.read(json.loads(json.dumps(asdict(options)))) == options


@given(workers=st.integers(1, 64), more=st.integers(0, 1000))
def test_shares(workers: int, more: int) -> None:
    """The workers' shares are the whole, and none has two more than another."""
    options = load_options("a:1", workers=workers, connections=workers + more)
    shares = [options.share(worker) for worker in range(workers)]
    assert sum(shares) == options.connections
    assert max(shares) - min(shares) <= 1


def test_whole_time() -> None:
    """Exchanges are begun in the warm-up, and in what is measured."""
    assert load_options("a:1", warmup_seconds=1.5, duration_seconds=2.0).whole_seconds == 3.5
