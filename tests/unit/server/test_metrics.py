"""What the server declares, and how it settles a lost worker's account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.counters.metrics import Metric
from stentor_server.metrics import (
    ACCEPTED,
    ANSWERED,
    CLOSED,
    OPEN,
    RECEIVED,
    SCHEMA,
    SENT,
    UNSENT,
    WRITE_BUFFER,
    CloseReason,
    open_connections,
    settle,
)

counts = st.integers(0, 1 << 40)


def _row(accepted: int, closed: int, sent: int, unsent: int, waiting: int, answered: int = 0) -> list[int]:
    row = [0] * SCHEMA.row_slots
    row[SCHEMA.slot(ANSWERED)] = answered
    row[SCHEMA.slot(CLOSED, CloseReason.EOF)] = closed
    row[SCHEMA.slot(ACCEPTED)] = closed + accepted
    row[SCHEMA.slot(RECEIVED)] = sent + unsent + waiting
    row[SCHEMA.slot(SENT)] = sent
    row[SCHEMA.slot(UNSENT)] = unsent
    row[SCHEMA.slot(WRITE_BUFFER)] = waiting
    return row


@given(counts, counts, counts, counts, counts)
def test_settle_balances(still_open: int, closed: int, sent: int, unsent: int, waiting: int) -> None:
    """When a worker is lost its connections are booked as lost and what it held as unsent: all accounts balance."""
    row = _row(still_open, closed, sent, unsent, waiting)
    assert still_open == open_connections(row)
    settle(row)  # type: ignore[arg-type]
    assert open_connections(row) == 0
    assert still_open == row[SCHEMA.slot(CLOSED, CloseReason.WORKER_LOST)]
    assert closed == row[SCHEMA.slot(CLOSED, CloseReason.EOF)]
    assert (sent, unsent + waiting, 0) == tuple(row[SCHEMA.slot(each)] for each in (SENT, UNSENT, WRITE_BUFFER))
    settled = [*row]
    settle(row)  # type: ignore[arg-type]
    assert settled == row  # nothing is left to settle


@pytest.mark.parametrize("metric", [RECEIVED, WRITE_BUFFER])
def test_lost_between_two_counts(metric: Metric) -> None:
    """A worker may go after it counted a chunk as received, or as waiting, and before it counted what became of it."""
    row = _row(1, 0, 50, 6, 7)
    row[SCHEMA.slot(metric)] += 1000
    settle(row)  # type: ignore[arg-type]
    assert row[SCHEMA.slot(RECEIVED)] == row[SCHEMA.slot(SENT)] + row[SCHEMA.slot(UNSENT)]
    assert row[SCHEMA.slot(WRITE_BUFFER)] == 0


@given(counts, counts, counts)
def test_settle_those_who_wait(still_open: int, closed: int, announcing: int) -> None:
    """Connections that waited for their PROXY header are accepted and lost; a close that was half booked is no more."""
    row = _row(still_open, closed, 0, 0, 0)
    row[SCHEMA.slot(OPEN)] = still_open + announcing
    half = [*row]
    settle(row)  # type: ignore[arg-type]
    assert row[SCHEMA.slot(ACCEPTED)] == closed + still_open + announcing
    assert row[SCHEMA.slot(CLOSED, CloseReason.WORKER_LOST)] == still_open + announcing
    assert row[SCHEMA.slot(OPEN)] == 0
    half[SCHEMA.slot(OPEN)] = max(0, still_open - 1)
    settle(half)  # type: ignore[arg-type]
    assert half[SCHEMA.slot(ACCEPTED)] == closed + still_open
    assert half[SCHEMA.slot(CLOSED, CloseReason.WORKER_LOST)] == still_open


def test_closed_is_read_before_accepted() -> None:
    """A scrape reads slots in order: were closed read after accepted, more could seem closed than were accepted."""
    assert SCHEMA.slots(CLOSED).stop <= SCHEMA.slot(ACCEPTED)
