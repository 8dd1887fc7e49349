"""Queries a Prometheus for the same counts."""

import json
import math
import time
from typing import Any
from urllib.parse import urlencode

from stentor_chassis.failure import USAGE, Failure
from stentor_client.reconcile.bracket import Point
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.web import excerpt, get
from stentor_client.verify.outcomes import NOT_REACHED


async def ask(url: str, query: Query) -> Point | None:
    """Return the present value of the query; None if there is no such series, or not yet.

    `url`, of Prometheus or a compatible database, is the part before `/api/v1`.

    Raises:
        Failure: the query is wrong, or there is no answer; the message says why.

    """
    began = time.monotonic()
    data = await _answer(url, query)
    ended = time.monotonic()
    kind, result = data.get("resultType"), data.get("result")
    match kind, result:
        case "vector", []:
            return None
        case "vector", [{"value": [_, str(text)]}]:
            pass
        case "scalar", [_, str(text)]:
            pass
        case "vector", [_, *_]:
            raise Failure(USAGE, f"{query}: it returns {len(result)} series; add them with sum(…)")
        case "vector" | "scalar" | "matrix" | "string", _:
            raise Failure(USAGE, f"{query}: it returns a {kind}, not a single value")
        case _:
            raise Failure(USAGE, f"{query}: it returns no single value")
    return Point(began, ended, _number(query, text))


async def _answer(url: str, query: Query) -> dict[str, Any]:
    answer = await get(f"{url}/api/v1/query?{urlencode({'query': query.promql})}")
    found = _json(answer.body)
    if not answer.ok:
        error = found.get("error")
        if isinstance(error, str) and error:
            raise Failure(USAGE, f"{query}: {excerpt(error)}")
        raise Failure(NOT_REACHED, f"cannot query {url}: it answered {answer.status}")
    data = found.get("data")
    if not isinstance(data, dict):
        raise Failure(NOT_REACHED, f"cannot query {url}: its answer is not from Prometheus")
    return data


def _json(text: bytes) -> dict[str, Any]:
    """Return the JSON object in `text`; an empty one if there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, or nested deeper than any answer
        return {}
    return found if isinstance(found, dict) else {}


def _number(query: Query, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Failure(USAGE, f"{query}: it returns {excerpt(text)!r}, which is not a count")
    return value
