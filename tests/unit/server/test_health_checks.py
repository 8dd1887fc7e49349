"""The account of the server's health checks."""

from urllib.parse import parse_qsl

import pytest
from multidict import MultiDict

from stentor_server.health_checks import BEGAN, count, ended
from stentor_server.metrics import (
    HEALTH_CHECK_RECEIVED,
    HEALTH_CHECK_SENT,
    HEALTH_CHECKS,
    HEALTH_CHECKS_UNFINISHED,
    SCHEMA,
)

METRICS = (HEALTH_CHECKS, HEALTH_CHECK_RECEIVED, HEALTH_CHECK_SENT, HEALTH_CHECKS_UNFINISHED)


def test_checks() -> None:
    """A check counts with what it moved once it tells of its end, and until then as unfinished; others never."""
    row = memoryview(bytearray(8 * SCHEMA.row_slots)).cast("q")
    for query, counted in (
        ({"verbose": "1"}, (0, 0, 0, 0)),
        (BEGAN, (0, 0, 0, 1)),
        (BEGAN, (0, 0, 0, 2)),
        (ended(2, 3), (1, 2, 3, 1)),
    ):
        count(row, query)
        assert counted == tuple(row[SCHEMA.slot(metric)] for metric in METRICS)
        assert sum(row) == sum(counted)


@pytest.mark.parametrize(
    ("query", "unfinished"),
    [
        ("health_check=over", 1),
        ("health_check=began&health_check=began", 1),
        ("health_check=ended&received_bytes=2", 1),
        ("health_check=ended&received_bytes=2&sent_bytes=2&more=1", 1),
        ("health_check=ended&received_bytes=2&sent_bytes=129", 1),
        ("health_check=ended&received_bytes=2&sent_bytes=%C2%B2", 1),
        ("health_check=ended&received_bytes=2&sent_bytes=2", 0),  # its beginning was told to another process
    ],
)
def test_what_no_check_says(query: str, unfinished: int) -> None:
    """What no check says is refused, and counts nothing."""
    row = memoryview(bytearray(8 * SCHEMA.row_slots)).cast("q")
    row[SCHEMA.slot(HEALTH_CHECKS_UNFINISHED)] = unfinished
    with pytest.raises(ValueError, match=r"health check|is a number from 0 to 128"):
        count(row, MultiDict(parse_qsl(query)))
    assert sum(row) == unfinished
