"""Declaring metrics and laying them out."""

import pytest

from stentor_chassis.counters.metrics import (
    HEARTBEAT,
    LOG_DROPPED,
    LOOP_LAG,
    RESTARTS,
    WORKERS,
    Counter,
    Derived,
    RestartReason,
    Schema,
)
from unit.chassis.example import ENDED, OPEN, PHASES, SCHEMA, SPAN, TAKEN, TOLD, WORKER_OPEN


def test_slots_do_not_overlap() -> None:
    """Every label value of every stored metric has slots of its own, and together they fill the row."""
    taken: list[int] = []
    for metric in SCHEMA.stored:
        for value in metric.values or ("",):
            first = SCHEMA.slot(metric, value)
            taken += range(first, first + metric.width)
    assert list(range(SCHEMA.row_slots)) == sorted(taken)


def test_slots_of_all_values_adjoin() -> None:
    """The slice of a metric holds the slots of all its values, in the order of the values, and no others."""
    assert SCHEMA.slots(ENDED) == slice(SCHEMA.slot(ENDED, "worn"), SCHEMA.slot(ENDED, "lost") + 1)
    assert SCHEMA.slots(TAKEN) == slice(SCHEMA.slot(TAKEN), SCHEMA.slot(TAKEN) + 1)
    assert SCHEMA.slots(PHASES) == slice(SCHEMA.slot(PHASES, "first"), SCHEMA.slot(PHASES, "last") + PHASES.width)


def test_order_is_the_declared_one() -> None:
    """Slots lie in the order of declaration, on which services rely for what is read first."""
    firsts = [SCHEMA.slot(metric, (*metric.values, "")[0]) for metric in SCHEMA.stored]
    assert sorted(firsts) == firsts


def test_every_service_has_the_same_basis() -> None:
    """Workers, restarts, loop lag and dropped log lines are counted by every service."""
    metrics = tuple(Schema("bare").metrics)
    assert metrics == (WORKERS, RESTARTS, LOOP_LAG, LOG_DROPPED)
    assert tuple(RestartReason) == RESTARTS.values


def test_derived_metrics_take_no_slots() -> None:
    """What is computed at the scrape is stored nowhere."""
    assert not any(isinstance(metric, Derived) for metric in SCHEMA.stored)
    for derived in (OPEN, WORKER_OPEN):
        with pytest.raises(KeyError):
            SCHEMA.slot(derived)


def test_internal_numbers_are_not_exported() -> None:
    """What processes tell each other has a slot, and is not among the metrics."""
    for internal in (HEARTBEAT, TOLD):
        assert internal in SCHEMA.stored
        assert internal not in SCHEMA.metrics
    assert SCHEMA.slot(HEARTBEAT) != SCHEMA.slot(TOLD)


def test_undeclared_is_an_error() -> None:
    """A metric, or a label value, that was not declared has no slot."""
    with pytest.raises(KeyError):
        SCHEMA.slot(Counter(name="surprise_total", help="Not declared."))
    with pytest.raises(KeyError):
        SCHEMA.slot(ENDED, "surprise")
    with pytest.raises(KeyError):
        SCHEMA.slot(ENDED)


def test_histogram_observes_into_its_slots() -> None:
    """A histogram got from the schema counts in the slots of its metric and label value, and in no others."""
    for metric, value in ((SPAN, ""), (PHASES, "first"), (PHASES, "last")):
        row = [0] * SCHEMA.row_slots
        SCHEMA.observer(metric, row, value).observe(1 << 40)
        first = SCHEMA.slot(metric, value)
        own = row[first : first + metric.width]
        assert [0] * len(metric.bounds) + [1, 1 << 40] == own
        assert sum(row) == sum(own)


def test_prefix() -> None:
    """The names of a service's metrics begin with the service's, in Prometheus' alphabet."""
    assert SCHEMA.prefix == "an_example"
