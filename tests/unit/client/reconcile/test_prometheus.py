"""What Prometheus says."""

import asyncio
from typing import Any

import pytest

from stentor_chassis.failure import USAGE, Failure
from stentor_client.reconcile.prometheus import ask
from stentor_client.reconcile.quantity import Side
from stentor_client.reconcile.query import Query
from stentor_client.verify.outcomes import NOT_REACHED
from unit.client.reconcile.endpoints import Answer, answering, prometheus

QUERY = Query(Side.SERVER, "connections", 'sum(x{a="b"}) + 1')


def _failure(answer: Answer) -> Failure:
    with answering(answer) as url, pytest.raises(Failure) as failure:
        asyncio.run(ask(url, QUERY))
    return failure.value


@pytest.mark.parametrize("found", [7.5, {"resultType": "scalar", "result": [1.5, "7.5"]}])
def test_value(found: Any) -> None:
    """The one value that a query returns, of one series or of none, is told with the time of asking."""
    asked: list[str] = []

    def value(promql: str) -> Any:
        asked.append(promql)
        return found

    with answering(prometheus(value)) as url:
        point = asyncio.run(ask(url, QUERY))
    assert point is not None
    assert point.value == 7.5
    assert 0 < point.ended - point.began < 5
    assert asked == [QUERY.promql]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([1, 2], "it returns 2 series; add them with sum(…)"),
        ("parse error:\n unclosed", "parse error: unclosed"),
        ("x" * 1000, "x" * 300),
        ("NaN", "NaN"),
        (float("nan"), "it returns 'nan', which is not a count"),
        ({"resultType": "matrix", "result": []}, "it returns a matrix, not a single value"),
        ({"resultType": ["matrix"], "result": []}, "it returns no single value"),
        ({"resultType": "string", "result": [1.5, "x"]}, "it returns a string, not a single value"),
        ({"resultType": "scalar", "result": [1.5, "many"]}, "it returns 'many', which is not a count"),
    ],
)
def test_query_that_does_not_do(found: Any, message: str) -> None:
    """A query that has no single value is one line that names it and says what to do."""
    failure = _failure(prometheus(lambda _: found))
    assert (failure.code, failure.message) == (USAGE, f"{QUERY}: {message}")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"<html>", b'{"data": []}', b'{"error": [[]]}', b"[" * 100_000],
    ids=lambda body: repr(body[:9]),
)
@pytest.mark.parametrize("status", [200, 502])
def test_no_prometheus(status: int, body: bytes) -> None:
    """What does not answer as Prometheus does cannot be read."""
    failure = _failure(lambda _: (status, body))
    assert failure.code == NOT_REACHED
    assert "cannot query http://127" in failure.message
