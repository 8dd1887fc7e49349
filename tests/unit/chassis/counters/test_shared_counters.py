"""The shared mapping, its rows and their sums."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_chassis.counters.metrics import Gauge, Internal
from stentor_chassis.counters.shared_counters import (
    CONTROL,
    FIRST_WORKER,
    GONE,
    ROW_ALIGNMENT,
    SLOT_BYTES,
    SharedCounters,
)
from unit.chassis.example import FURTHEST, HEARD, NEWEST, PASSED_ON, SAID, SCHEMA, TAKEN, NewCounters

ROWS = FIRST_WORKER + 3
_LARGEST = {SCHEMA.slot(NEWEST), SCHEMA.slot(FURTHEST)}  # slots of which the largest counts
_BOTH = {SCHEMA.slot(HEARD), SCHEMA.slot(SAID)}  # slots to which that of PASSED_ON is added


def _random_rows(seed: int) -> list[list[int]]:
    draw = random.Random(seed).randrange
    return [[draw(1 << 40) for _ in range(SCHEMA.row_slots)] for _ in range(ROWS)]


@contextmanager
def _filled(values: list[list[int]]) -> Iterator[SharedCounters]:
    counters = SharedCounters(SCHEMA, len(values))
    try:
        for number, row in enumerate(values):
            for slot, value in enumerate(row):
                counters.row(number)[slot] = value
        yield counters
    finally:
        os.close(counters.fd)


def _merged(slot: int, copies: list[list[int]]) -> int:
    column = [row[slot] for row in copies]
    if slot in _BOTH:
        column += [row[SCHEMA.slot(PASSED_ON)] for row in copies]
    return max(column) if slot in _LARGEST else sum(column)


def test_rows(new_counters: NewCounters) -> None:
    """Slots begin at 0; rows share neither slots nor adjacent cache lines; a column has one slot of each row."""
    counters = new_counters(SCHEMA, 3)
    column = counters.column(SCHEMA.slot(TAKEN))
    assert sum(counters.slots) == 0
    assert counters.stride * SLOT_BYTES % ROW_ALIGNMENT == 0
    assert counters.stride >= SCHEMA.row_slots
    for number in range(3):
        for slot in range(SCHEMA.row_slots):
            counters.row(number)[slot] = number + 1
    for number in range(3):
        assert [number + 1] * SCHEMA.row_slots == counters.row(number).tolist()
    assert SharedCounters(SCHEMA, 3, counters.fd).slots == counters.slots  # as other processes map it
    assert list(column) == [1, 2, 3]


@settings(max_examples=20)
@given(st.integers(0).map(_random_rows))
def test_absorb(values: list[list[int]]) -> None:
    """The rows of the control process, exited and live workers are merged, no others; an exit loses current values."""
    with _filled(values) as counters:
        counters.absorb(FIRST_WORKER)
        totals, workers = counters.read({0: [FIRST_WORKER + 2]})
        assert [0] * SCHEMA.row_slots == counters.row(FIRST_WORKER).tolist()
    assert workers == {0: [values[FIRST_WORKER + 2]]}
    lost = {
        slot
        for metric in SCHEMA.stored
        if isinstance(metric, Internal) or (isinstance(metric, Gauge) and metric.across != "peak")
        for slot in range(SCHEMA.slots(metric).start, SCHEMA.slots(metric).stop)
    }
    present = [values[CONTROL], values[GONE], values[FIRST_WORKER + 2]]
    for slot in range(SCHEMA.row_slots):
        assert totals[slot] == _merged(slot, present if slot in lost else [*present, values[FIRST_WORKER]])
