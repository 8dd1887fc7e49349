"""The shared mapping, its rows and their sums."""

import os
import subprocess
import sys
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from stentor_chassis.counters.metrics import HEARTBEAT, Gauge, Internal, Metric, Schema
from stentor_chassis.counters.shared_counters import (
    CONTROL,
    FIRST_WORKER,
    GONE,
    ROW_ALIGNMENT,
    SLOT_BYTES,
    SharedCounters,
)
from unit.chassis.example import ENDED, FURTHEST, HEARD, NEWEST, PASSED_ON, PHASES, SAID, SCHEMA, SPAN, TAKEN, WAITING

NewCounters = Callable[[Schema, int], SharedCounters]
slot_values = st.integers(0, 1 << 40)
rows = st.lists(slot_values, min_size=SCHEMA.row_slots, max_size=SCHEMA.row_slots)
observations = st.lists(st.integers(0, 3_000_000_000))
_BOTH = {SCHEMA.slot(HEARD), SCHEMA.slot(SAID)}  # to which what was passed on is added


def _write(counters: SharedCounters, number: int, values: list[int]) -> None:
    row = counters.row(number)
    for slot, value in enumerate(values):
        row[slot] = value


def test_begins_at_zero(new_counters: NewCounters) -> None:
    """Every slot of a new counters is 0."""
    counters = new_counters(SCHEMA, 4)
    assert [[0] * SCHEMA.row_slots] * 4 == [counters.row(number).tolist() for number in range(4)]


def test_rows_are_apart(new_counters: NewCounters) -> None:
    """Rows share neither a slot nor two neighbouring cache lines, so that writers do not hinder each other."""
    counters = new_counters(SCHEMA, 3)
    assert counters.stride * SLOT_BYTES % ROW_ALIGNMENT == 0
    assert counters.stride >= SCHEMA.row_slots
    for number in range(3):
        _write(counters, number, [number + 1] * SCHEMA.row_slots)
    for number in range(3):
        assert [number + 1] * SCHEMA.row_slots == counters.row(number).tolist()


def test_column_is_one_slot_of_every_row(new_counters: NewCounters) -> None:
    """A column sees the same slot of all rows, as they change."""
    counters = new_counters(SCHEMA, 3)
    column = counters.column(SCHEMA.slot(TAKEN))
    for number in range(3):
        counters.row(number)[SCHEMA.slot(TAKEN)] = 10 * number
    assert list(column) == [0, 10, 20]


def test_is_shared_between_processes(new_counters: NewCounters) -> None:
    """What one process writes through the descriptor another reads, up to the largest values."""
    counters = new_counters(SCHEMA, 2)
    largest = (1 << 63) - 1
    slot = SCHEMA.slot(WAITING)
    script = (
        "from stentor_chassis.counters.shared_counters import SharedCounters\nfrom unit.chassis.example import SCHEMA\n"
        f"SharedCounters(SCHEMA, 2, {counters.fd}).row(1)[{slot}] = {largest}"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, pass_fds=[counters.fd], env=environment)
    assert largest == counters.row(1)[slot]


def test_attaches_to_a_descriptor(new_counters: NewCounters) -> None:
    """A counters made from another's descriptor is the same memory, both ways."""
    counters = new_counters(SCHEMA, 2)
    other = SharedCounters(SCHEMA, 2, counters.fd)
    other.row(0)[3] = 33
    counters.row(1)[4] = 44
    assert (counters.row(0)[3], other.row(1)[4]) == (33, 44)


@given(some=observations, others=observations)
def test_merged_histograms_equal_the_whole(some: list[int], others: list[int]) -> None:
    """The total of two workers' histograms is the histogram of one that saw everything."""
    two, whole = [[0] * SCHEMA.row_slots for _ in range(2)], [0] * SCHEMA.row_slots
    for row, values in zip(two, (some, others), strict=True):
        for value in values:
            for metric, label in ((SPAN, ""), (PHASES, "first"), (PHASES, "last")):
                SCHEMA.observer(metric, row, label).observe(value)
                SCHEMA.observer(metric, whole, label).observe(value)
    counters = SharedCounters(SCHEMA, 1)
    try:
        assert whole == counters.totals(two)
    finally:
        os.close(counters.fd)


@settings(max_examples=20)
@given(st.lists(rows, min_size=1, max_size=4))
def test_totals(copies: list[list[int]]) -> None:
    """Counters and sums add up over the rows; of gauges declared so, the largest counts."""
    counters = SharedCounters(SCHEMA, 1)
    try:
        totals = counters.totals(copies)
    finally:
        os.close(counters.fd)
    largest = {SCHEMA.slot(NEWEST), SCHEMA.slot(FURTHEST)}
    for slot in range(SCHEMA.row_slots):
        column = [row[slot] for row in copies]
        if slot in _BOTH:
            column += [row[SCHEMA.slot(PASSED_ON)] for row in copies]
        assert totals[slot] == (max(column) if slot in largest else sum(column))


def test_rows_have_their_owners() -> None:
    """The control process, the workers that are gone, and each worker have rows of their own."""
    assert sorted({CONTROL, GONE, FIRST_WORKER}) == [0, 1, 2]


@settings(max_examples=20)
@given(st.lists(rows, min_size=4, max_size=4))
def test_retire_keeps_what_was_counted(before: list[list[int]]) -> None:
    """After a worker is gone, all that was counted still is; only what it was to the living goes with it."""
    counters = SharedCounters(SCHEMA, 4)
    try:
        for number, values in enumerate(before):
            _write(counters, number, values)
        counters.absorb(FIRST_WORKER)
        after = [counters.row(number).tolist() for number in range(4)]
        totals = counters.totals(before), counters.totals(after)
    finally:
        os.close(counters.fd)
    gone = before[FIRST_WORKER]
    assert [0] * SCHEMA.row_slots == after[FIRST_WORKER]
    assert (before[CONTROL], before[FIRST_WORKER + 1]) == (after[CONTROL], after[FIRST_WORKER + 1])
    going = {SCHEMA.slot(metric) for metric in SCHEMA.stored if _goes_with_its_worker(metric)}
    assert {SCHEMA.slot(WAITING), SCHEMA.slot(HEARTBEAT)} <= going
    furthest = SCHEMA.slot(FURTHEST)
    assert totals[1][furthest] == max(row[furthest] for row in before if row is not gone)
    for slot in set(range(SCHEMA.row_slots)) - {furthest}:
        assert totals[1][slot] == totals[0][slot] - (gone[slot] if slot in going else 0)


def _goes_with_its_worker(metric: Metric) -> bool:
    return isinstance(metric, Internal) or (isinstance(metric, Gauge) and metric.across == "sum")


@settings(max_examples=20)
@given(rows, rows, rows)
def test_retire_again(kept: list[int], first: list[int], second: list[int]) -> None:
    """One row serves one worker after the other, and each one's counts are kept once."""
    counters = SharedCounters(SCHEMA, 3)
    try:
        _write(counters, GONE, kept)
        for values in (first, second):
            _write(counters, FIRST_WORKER, values)
            counters.absorb(FIRST_WORKER)
        gone = counters.row(GONE).tolist()
    finally:
        os.close(counters.fd)
    for slot in (SCHEMA.slot(TAKEN), SCHEMA.slot(ENDED, "lost"), SCHEMA.slot(SPAN), SCHEMA.slot(PHASES, "last")):
        assert kept[slot] + first[slot] + second[slot] == gone[slot]
    passed_on = first[SCHEMA.slot(PASSED_ON)] + second[SCHEMA.slot(PASSED_ON)]
    for slot in _BOTH:
        assert kept[slot] + first[slot] + second[slot] + passed_on == gone[slot]
    newest = SCHEMA.slot(NEWEST)
    assert max(kept[newest], first[newest], second[newest]) == gone[newest]
