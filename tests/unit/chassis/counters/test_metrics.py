"""Declaring metrics and laying them out."""

import pytest

from stentor_chassis.counters.metrics import HEARTBEAT, LOG_DROPPED, LOOP_LAG, RESTARTS, WORKERS, Counter, Schema
from unit.chassis.example import ENDED, OPEN, PHASES, SCHEMA, SPAN, TOLD, WORKER_OPEN


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


def test_exported_metrics() -> None:
    """Every service exports the common metrics after its own; internal values are not exported."""
    common = [WORKERS, RESTARTS, LOOP_LAG, LOG_DROPPED]
    assert Schema("bare").metrics == common
    assert SCHEMA.metrics[-4:] == common
    for internal in (HEARTBEAT, TOLD):
        assert internal in SCHEMA.stored
        assert internal not in SCHEMA.metrics
    assert SCHEMA.prefix == "an_example"


def test_no_slot() -> None:
    """Derived metrics, and metrics or label values that are not declared, have no slot."""
    for metric in (OPEN, WORKER_OPEN, Counter(name="surprise_total", help="Not declared."), ENDED):
        with pytest.raises(KeyError):
            SCHEMA.slot(metric)
    with pytest.raises(KeyError):
        SCHEMA.slot(ENDED, "surprise")


@pytest.mark.parametrize(
    ("name", "unit"), [("sent_bytes_total", "bytes"), ("age_seconds", "seconds"), ("bytes_lost", "")]
)
def test_unit(name: str, unit: str) -> None:
    """The unit is what the name of a metric ends with."""
    assert Counter(name=name, help="Some.").unit == unit


def test_observer() -> None:
    """An observer counts in the slots of its metric and label value, and in no others."""
    for metric, value in ((SPAN, ""), (PHASES, "first"), (PHASES, "last")):
        row = [0] * SCHEMA.row_slots
        SCHEMA.observer(metric, row, value).observe(1 << 40)
        first = SCHEMA.slot(metric, value)
        own = row[first : first + metric.width]
        assert [0] * len(metric.bounds) + [1, 1 << 40] == own
        assert sum(row) == sum(own)
