"""The options of a load."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.load.options import LoadOptions
from unit.client.loads import CLOSED, OPTIONS, RAMP


@pytest.mark.parametrize("options", [CLOSED, RAMP])
def test_travels_as_json(options: LoadOptions) -> None:
    """A worker reads what the control process has."""
    assert LoadOptions.read(json.loads(json.dumps(asdict(options)))) == options


@given(workers=st.integers(1, 64), more=st.integers(0, 1000))
def test_shares(workers: int, more: int) -> None:
    """The workers' shares are the whole, and differ by at most one."""
    options = replace(OPTIONS, workers=workers, connections=workers + more)
    shares = [options.share(worker) for worker in range(workers)]
    assert sum(shares) == options.connections
    assert max(shares) - min(shares) <= 1
