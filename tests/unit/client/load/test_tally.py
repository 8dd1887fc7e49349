"""What one worker of a load counts."""

import pytest

from stentor_client.load.metrics import (
    DUE,
    LATE_MOST,
    MEASURED,
    PHASES,
    REPLIES,
    REPLY_BYTES,
    RESPONSE_MOST,
    RESPONSE_TIME,
    SCHEMA,
    SERVICE_MOST,
    SERVICE_TIME,
)
from stentor_client.load.report.distribution import Distribution
from stentor_client.load.tally import Tally
from stentor_client.metrics import LATE
from stentor_client.verify.outcomes import Outcome, Phase

MS = 1_000_000
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


def _times(row: list[int], metric: object, value: str = "") -> Distribution:
    first = SCHEMA.slot(metric, value)  # type: ignore[arg-type]
    return Distribution.of(row[first : first + metric.width])  # type: ignore[attr-defined]


def test_good(tally: Tally, row: list[int]) -> None:
    """Response time is from when it was due, service time from the send, first byte from the send to it."""
    tally.good(START, START + 2 * MS, START + 3 * MS, START + 10 * MS, 64)
    assert row[SCHEMA.slot(MEASURED, Outcome.OK)] == 1
    assert (row[SCHEMA.slot(REPLIES)], row[SCHEMA.slot(REPLY_BYTES)]) == (1, 64)
    assert _times(row, RESPONSE_TIME).mean == 0.010
    assert _times(row, SERVICE_TIME).mean == 0.008
    assert _times(row, PHASES, Phase.FIRST_BYTE).mean == 0.001
    for metric, exact in ((RESPONSE_TIME, 0.010), (SERVICE_TIME, 0.008)):
        assert _times(row, metric).percentile(50) == pytest.approx(exact, rel=0.01)
    assert _times(row, PHASES, Phase.FIRST_BYTE).percentile(50) == pytest.approx(0.001, rel=0.01)


def test_first_byte_unknown(tally: Tally, row: list[int]) -> None:
    """Where nobody knows which byte was whose, there is no such phase."""
    tally.good(START, START, 0, START + MS, 64)
    assert _times(row, PHASES, Phase.FIRST_BYTE).count == 0
    assert _times(row, RESPONSE_TIME).count == _times(row, SERVICE_TIME).count == 1


def test_longest(tally: Tally, row: list[int]) -> None:
    """The longest times are exact."""
    for milliseconds in (3, 9, 4):
        tally.good(START, START + MS, 0, START + milliseconds * MS + 1, 1)
    assert row[SCHEMA.slot(RESPONSE_MOST)] == 9 * MS + 1
    assert row[SCHEMA.slot(SERVICE_MOST)] == 8 * MS + 1


def test_warmup(tally: Tally, row: list[int]) -> None:
    """What was due before the warm-up ended is counted nowhere."""
    tally.due(START - 1, START + 90 * MS)
    tally.good(START - 3, START - 2, 0, START - 1, 64)
    tally.failed(START - 1, Outcome.RESET)
    assert sum(row) == 0


def test_throughput_is_of_the_measured_time(tally: Tally, row: list[int]) -> None:
    """A reply counts for the throughput of the time in which it came, whenever it was due."""
    tally.measured_until = START + 10 * MS
    tally.good(START - MS, START, 0, START, 10)  # due in the warm-up
    tally.good(START, START, 0, tally.measured_until, 100)  # answered when all was over
    tally.good(START, START, 0, tally.measured_until - 1, 1000)
    assert (row[SCHEMA.slot(REPLIES)], row[SCHEMA.slot(REPLY_BYTES)]) == (2, 1010)
    assert _times(row, RESPONSE_TIME).count == 2


def test_failed(tally: Tally, row: list[int]) -> None:
    """A failure has its outcome, and no time."""
    tally.failed(START, Outcome.MISMATCH)
    assert row[SCHEMA.slot(MEASURED, Outcome.MISMATCH)] == 1
    assert _times(row, RESPONSE_TIME).count == 0


@pytest.mark.parametrize(("late", "counted"), [(MS, 0), (MS + 1, 1)])
def test_late(tally: Tally, row: list[int], late: int, counted: int) -> None:
    """A send that begins over 1 ms after it was due is late; how late the worst was is kept."""
    tally.due(START, START + late)
    assert (row[SCHEMA.slot(DUE)], row[SCHEMA.slot(LATE)]) == (1, counted)
    assert row[SCHEMA.slot(LATE_MOST)] == late * counted


def test_way(tally: Tally, row: list[int]) -> None:
    """The phases of the way to a connection are in the fine histograms."""
    tally.dialed({Phase.RESOLVE: MS, Phase.CONNECT: 5 * MS})
    assert _times(row, PHASES, Phase.CONNECT).mean == 0.005
    assert _times(row, PHASES, Phase.TLS).count == 0
