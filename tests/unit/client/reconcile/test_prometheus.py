"""What Prometheus says."""

import asyncio
import json
from typing import Any

import pytest

from stentor_chassis.failure import USAGE, Failure
from stentor_client.reconcile.prometheus import Prometheus
from stentor_client.reconcile.quantity import Side
from stentor_client.reconcile.query import Query
from stentor_client.verify.outcomes import NOT_REACHED
from unit.client.reconcile.endpoints import Answer, answering, prometheus

SEVERAL = "it does not return a single value; add several series up with sum(…)"
QUERY = Query(Side.SERVER, "connections", 'sum(x{a="b"}) + 1')


def _failure(answer: Answer, method: str = "present") -> Failure:
    with answering(answer) as url, pytest.raises(Failure) as failure:
        asyncio.run(getattr(Prometheus(url, QUERY), method)("query"))
    return failure.value


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([1, 2], SEVERAL),
        ("parse error:\n unclosed", "parse error: unclosed"),
        ("x" * 1000, "x" * 300),
        (-5, "it returns '-5', which is not a count"),
        (float("nan"), "it returns 'nan', which is not a count"),
        ({"resultType": "matrix", "result": []}, SEVERAL),
        ({"resultType": ["string"], "result": [1.5, "x"]}, SEVERAL),
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
@pytest.mark.parametrize(("status", "method"), [(200, "present"), (200, "samples"), (502, "present")])
def test_no_prometheus(status: int, method: str, body: bytes) -> None:
    """An answer that is not Prometheus' cannot be read."""
    failure = _failure(lambda _: (status, body), method)
    assert failure.code == NOT_REACHED
    assert "cannot query http://127" in failure.message


@pytest.mark.parametrize("result", [None, [1], [{"metric": {}}], [{"metric": {}, "values": [["1", "x"]]}]])
def test_no_samples(result: Any) -> None:
    """Anything but a list of series with samples is not from Prometheus."""
    body = json.dumps({"data": {"resultType": "matrix", "result": result}}).encode()
    assert _failure(lambda _: (200, body), "samples").message.endswith("its answer is not from Prometheus")
