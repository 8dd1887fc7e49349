"""The options of a load."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from unit.client.loads import OPTIONS


@given(workers=st.integers(1, 64), more=st.integers(0, 1000))
def test_shares(workers: int, more: int) -> None:
    """The workers' shares are the whole, and differ by at most one."""
    options = replace(OPTIONS, workers=workers, connections=workers + more)
    shares = [options.share(worker) for worker in range(workers)]
    assert sum(shares) == options.connections
    assert max(shares) - min(shares) <= 1
