"""Who counts."""

from stentor_client.reconcile.quantity import COUNTS
from stentor_client.reconcile.side import COUNT_NAMES, Side


def test_every_count_of_every_side() -> None:
    """Both sides have each of the counts that have a name."""
    assert {side: tuple(counts) for side, counts in COUNTS.items()}.keys() == set(Side)
    for counts in COUNTS.values():
        assert sorted(counts) == sorted(COUNT_NAMES)
        assert all(count.side is side for side in Side for count in COUNTS[side].values())
