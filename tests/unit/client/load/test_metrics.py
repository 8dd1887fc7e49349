"""What a load counts."""

from stentor_client.load.metrics import FINE, SCHEMA
from stentor_client.metrics import SCHEMA as EXPORTED


def test_begins_like_what_is_exported() -> None:
    """An `Account`, which knows the exported slots, counts in the same ones of a load's row."""
    for metric in EXPORTED.stored:
        assert SCHEMA.slots(metric) == EXPORTED.slots(metric)


def test_bounds_reach() -> None:
    """The bounds go from a microsecond to more than a quarter of an hour."""
    assert (FINE[0], FINE[-1] >= 900 * 10**9) == (1000, True)
