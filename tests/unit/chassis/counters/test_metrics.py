"""Declaring metrics and laying them out."""

import pytest

from stentor_chassis.counters.metrics import Counter, Schema
from unit.chassis.example import ENDED, OPEN, SCHEMA, WORKER_OPEN


def test_slots() -> None:
    """Each label value of each stored metric has its own slots, in the order of declaration, and no slot is unused."""
    taken: list[int] = []
    for metric in SCHEMA.stored:
        adjacent = SCHEMA.slots(metric)
        assert adjacent.start == SCHEMA.slot(metric, (*metric.values, "")[0])
        taken += range(adjacent.start, adjacent.stop)
    assert list(range(SCHEMA.row_slots)) == taken
    assert SCHEMA.slots(ENDED) == slice(SCHEMA.slot(ENDED, "worn"), SCHEMA.slot(ENDED, "lost") + 1)


def test_schema_with_a_base() -> None:
    """A schema that extends another has its metrics in the same slots, and leaves it as it is."""
    extended, slots = Schema("extended", SCHEMA), SCHEMA.row_slots
    more = extended.counter(name="more_total", help="More.")
    assert [extended.slots(metric) for metric in SCHEMA.stored] == [SCHEMA.slots(metric) for metric in SCHEMA.stored]
    assert (extended.slot(more), SCHEMA.row_slots) == (slots, slots)
    assert extended.sums == SCHEMA.sums


def test_no_slot() -> None:
    """Derived metrics, and metrics or label values that are not declared, have no slot."""
    for metric in (OPEN, WORKER_OPEN, Counter(name="surprise_total", help="Not declared."), ENDED):
        with pytest.raises(KeyError):
            SCHEMA.slot(metric)
    with pytest.raises(KeyError):
        SCHEMA.slot(ENDED, "surprise")
