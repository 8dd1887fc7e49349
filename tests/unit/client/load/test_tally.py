"""The counts of one worker of a load."""

import pytest

from stentor_client.load import metrics
from stentor_client.load.metrics import MEASURED, PHASES, RESPONSE_TIME, SCHEMA, SERVICE_TIME
from stentor_client.load.tally import Tally
from stentor_client.metrics import LATE
from stentor_client.metrics import SCHEMA as EXPORTED
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.load.loading import times
from unit.client.loads import MILLISECOND as MS

START = 7_000 * MS


@pytest.fixture
def row() -> list[int]:
    """The slots of one worker."""
    return [0] * SCHEMA.row_slots


@pytest.fixture
def tally(row: list[int]) -> Tally:
    """A tally that measures from `START` on."""
    made = Tally(row)
    made.measured_from = START
    return made


def test_begins_like_what_is_exported() -> None:
    """An `Account`, which knows the exported slots, counts in the same ones of a load's row."""
    assert all(SCHEMA.slots(metric) == EXPORTED.slots(metric) for metric in EXPORTED.stored)


def test_good(tally: Tally, row: list[int]) -> None:
    """Response time is from when it was due, service time from the send, first byte from the send to it, if known."""
    tally.good(START, START + 2 * MS, START + 3 * MS, START + 10 * MS, 64)
    for metric, value, exact in (
        (RESPONSE_TIME, "", 0.010),
        (SERVICE_TIME, "", 0.008),
        (PHASES, Phase.FIRST_BYTE, 0.001),
    ):
        assert times(row, metric, value).mean == exact
        assert times(row, metric, value).percentile(50) == pytest.approx(exact, rel=0.01)
    tally.good(START, START + MS, 0, START + 9 * MS + 1, 64)
    tally.good(START, START + MS, 0, START + 4 * MS, 64)
    assert (row[SCHEMA.slot(metrics.RESPONSE_MOST)], row[SCHEMA.slot(metrics.SERVICE_MOST)]) == (10 * MS, 8 * MS + 1)
    assert row[SCHEMA.slot(MEASURED, Outcome.OK)] == times(row, RESPONSE_TIME).count == 3
    assert (times(row, SERVICE_TIME).count, times(row, PHASES, Phase.FIRST_BYTE).count) == (3, 1)


def test_warmup_and_end(tally: Tally, row: list[int]) -> None:
    """What was due in the warm-up is no exchange; a reply counts for the throughput of the time in which it arrived."""
    tally.measured_until = START + 10 * MS
    tally.due(START - 1, START + 90 * MS)
    tally.good(START - 3, START - 2, 0, START - 1, 64)
    tally.failed(START - 1, Outcome.RESET)
    assert sum(row) == 0
    tally.good(START - MS, START, 0, START, 10)  # due in the warm-up
    tally.good(START, START, 0, tally.measured_until, 100)  # answered after the end
    tally.good(START, START, 0, tally.measured_until - 1, 1000)
    assert (row[SCHEMA.slot(metrics.REPLIES)], row[SCHEMA.slot(metrics.REPLY_BYTES)]) == (2, 1010)
    assert times(row, RESPONSE_TIME).count == 2


def test_late(tally: Tally, row: list[int]) -> None:
    """A send is late over 1 ms after it was due, and the latest is kept."""
    for late in (MS, MS + 2, MS + 1):
        tally.due(START, START + late)
    assert (row[SCHEMA.slot(metrics.DUE)], row[SCHEMA.slot(LATE)]) == (3, 2)
    assert row[SCHEMA.slot(metrics.LATE_MOST)] == MS + 2
