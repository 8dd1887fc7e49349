"""When Prometheus took its samples."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from stentor_client.reconcile import watch
from stentor_client.reconcile.bracket import Point
from stentor_client.reconcile.quantity import Side
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.watch import Watch
from unit.client.reconcile.endpoints import Scrape, answering, prometheus

NOW = 20.0  # of this clock


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time stand still."""
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: NOW))


def _brackets(
    scrapes: Sequence[Scrape], exact: Sequence[tuple[float, float]], ahead: float = 1_795_884_000.0, value: Any = 0
) -> list[tuple[float, float]]:
    """Return the bounds of a query with these scrapes, by exact counts at these times; another clock is `ahead`."""
    shifted = [each._replace(began=ahead + each.began) for each in scrapes]
    points = [Point(at, at, count) for at, count in exact]
    with answering(prometheus(lambda _: value, shifted, lambda: NOW + ahead)) as url:
        watched = Watch(url, Query(Side.CLIENT, "sent_bytes", "sum(x)"))
        asyncio.run(watched.poll())
        found = watched.brackets(points, 0.0, losing=True)
        asyncio.run(watched.poll())  # nothing is new
    assert watched.brackets(points, 0.0, losing=True)[: len(found)] == found
    assert ("rule" in watched.why_unknown) is any(not each.target for each in scrapes)
    return [(each.low, each.high) for each in found]


# The count is 100 until just before the scrape at 5, and 107 from just after its end.
EXACT = [(0, 90), (4.5, 100), (5.7, 107), (9.5, 107), (10.5, 107), (19.9, 120)]


@pytest.mark.parametrize("ahead", [1000.0, 1_795_884_000.25])
@pytest.mark.parametrize(("value", "bounds"), [(100, (-7, 0)), (107, (0, 7)), (96, (-11, -4)), (50, (-57, -50))])
def test_readings_around_a_scrape(ahead: float, value: float, bounds: tuple[float, float]) -> None:
    """The value of a scrape is compared with the readings around it, whatever Prometheus' clock says."""
    assert _brackets([Scrape(5, value, 0.1)], EXACT, ahead) == [bounds]


def test_duration_of_a_scrape() -> None:
    """The service may have counted at any moment of the scrape."""
    assert _brackets([Scrape(5, 100, 0.6)], EXACT) == [(-7, 0)]
    assert _brackets([Scrape(5, 100, 4.0)], [*EXACT[:3], (8, 111), *EXACT[4:]]) == [(-7, 0)]
    assert _brackets([Scrape(5, 100, 9.0)], EXACT) == [(-20, 0)]


def test_two_targets() -> None:
    """A sum is as old as its oldest sample; before each target was scraped nobody knows how old that is."""
    scrapes = [Scrape(5, 100, target="a"), Scrape(9.6, 105, target="b"), Scrape(10, 107, target="a")]
    assert _brackets(scrapes, EXACT) == [(-2, 5), (0, 0)]


def test_value_that_is_not_scraped() -> None:
    """A value that rises although nothing was scraped, such as that of a recording rule, is not compared."""
    assert _brackets([Scrape(5, 100), Scrape(9, 107, target="")], EXACT) == []


@pytest.mark.parametrize(("last", "bounds"), [(107, [(0, 0)]), (108, [])])
def test_value_that_does_not_rise(last: float, bounds: list[tuple[float, float]]) -> None:
    """If nothing rises, the value is compared as long as the exact count has not moved since the oldest scrape."""
    exact = [(at, 107) for at in (0, 10, 19)] + [(1000, last)]
    assert _brackets([], exact, value=107) == bounds


def test_no_such_series() -> None:
    """Without a value there is nothing to compare."""
    assert _brackets([], EXACT, value=[]) == []
