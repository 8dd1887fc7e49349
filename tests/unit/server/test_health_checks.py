"""The account of the server's health checks."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import pytest
from multidict import MultiDict

from stentor_chassis.counters.metrics import Metric, Schema
from stentor_chassis.counters.shared_counters import CONTROL, SharedCounters
from stentor_server.health_checks import BEGAN, count, ended
from stentor_server.metrics import (
    HEALTH_CHECK_RECEIVED,
    HEALTH_CHECK_SENT,
    HEALTH_CHECKS,
    HEALTH_CHECKS_UNFINISHED,
    SCHEMA,
)

_METRICS: tuple[Metric, ...] = (
    HEALTH_CHECKS,
    HEALTH_CHECK_RECEIVED,
    HEALTH_CHECK_SENT,
    HEALTH_CHECKS_UNFINISHED,
)


@pytest.fixture
def row(new_counters: Callable[[Schema, int], SharedCounters]) -> "memoryview[int]":
    """The row of a control process."""
    return new_counters(SCHEMA, 2).row(CONTROL)


def _counted(row: "memoryview[int]") -> tuple[int, ...]:
    assert sum(row) == sum(row[SCHEMA.slot(metric)] for metric in _METRICS)  # and nothing else
    return tuple(row[SCHEMA.slot(metric)] for metric in _METRICS)


def _heard(row: "memoryview[int]", text: str) -> None:
    query: Mapping[str, str] = MultiDict(parse_qsl(text, keep_blank_values=True))
    count(row, query)


def test_whole_check(row: "memoryview[int]") -> None:
    """A check that tells of its end counts with what it moved, and is not unfinished any more."""
    count(row, BEGAN)
    assert _counted(row) == (0, 0, 0, 1)
    count(row, ended(2, 3))
    assert _counted(row) == (1, 2, 3, 0)


def test_check_that_ended_half_way(row: "memoryview[int]") -> None:
    """A check of which nothing more is heard stays unfinished, also when others come and go."""
    for what in (BEGAN, BEGAN, ended(2, 2), BEGAN, ended(2, 2)):
        count(row, what)
    assert _counted(row) == (2, 4, 4, 1)


@pytest.mark.parametrize("query", ["", "verbose", "received_bytes=2&sent_bytes=2"])
def test_others_who_ask(row: "memoryview[int]", query: str) -> None:
    """What others ask with counts nothing, and is no error."""
    _heard(row, query)
    assert _counted(row) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "query",
    [
        "health_check=",
        "health_check=over",
        "health_check=began&received_bytes=2",
        "health_check=began&health_check=began",
        "health_check=ended",
        "health_check=ended&received_bytes=2",
        "health_check=ended&received_bytes=2&sent_bytes=2&sent_bytes=2",
        "health_check=ended&received_bytes=2&sent_bytes=2&more=1",
        "health_check=ended&received_bytes=-2&sent_bytes=2",
        "health_check=ended&received_bytes=2&sent_bytes=129",
        "health_check=ended&received_bytes=2&sent_bytes=",
        "health_check=ended&received_bytes=2&sent_bytes=%C2%B2",
        f"health_check=ended&received_bytes=2&sent_bytes={'9' * 5000}",
    ],
)
def test_what_no_check_says(row: "memoryview[int]", query: str) -> None:
    """What no check says is refused, and counts nothing."""
    count(row, BEGAN)
    with pytest.raises(ValueError, match=r"health check|is a number from 0 to 128"):
        _heard(row, query)
    assert _counted(row) == (0, 0, 0, 1)


def test_end_without_beginning(row: "memoryview[int]") -> None:
    """An end is refused where no check began: its beginning was told to another process."""
    with pytest.raises(ValueError, match="no health check has begun"):
        count(row, ended(2, 2))
    assert _counted(row) == (0, 0, 0, 0)
