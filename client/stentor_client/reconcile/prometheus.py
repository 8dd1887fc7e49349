"""What Prometheus says of the same counts."""

import json
import math
import time
from typing import Any
from urllib.parse import urlencode

from stentor_chassis.failure import USAGE, Failure
from stentor_client.reconcile.query import Query
from stentor_client.reconcile.web import excerpt, get
from stentor_client.reconcile.window import Point
from stentor_client.verify.outcomes import NOT_REACHED


class Prometheus:
    """The HTTP API of a Prometheus, or of what speaks as one."""

    def __init__(self, url: str) -> None:
        """`url` is what stands before `/api/v1`."""
        self._url = url

    async def ask(self, query: Query) -> Point | None:
        """Return what the query says now; nothing where there is no such series, or not yet.

        Raises:
            Failure: in one line, what is wrong with the query, or why there is no answer.

        """
        began = time.monotonic()
        data = await self._answer(query)
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
                raise Failure(USAGE, f"{query}: it returns {len(result)} series; add them up with sum(…)")
            case "vector" | "scalar" | "matrix" | "string", _:
                raise Failure(USAGE, f"{query}: it returns a {kind}, and no single value")
            case _:
                raise Failure(USAGE, f"{query}: it returns no single value")
        return Point(began, ended, _number(query, text))

    async def _answer(self, query: Query) -> dict[str, Any]:
        answer = await get(f"{self._url}/api/v1/query?{urlencode({'query': query.promql})}")
        found = _json(answer.body)
        if not answer.ok:
            error = found.get("error")
            if isinstance(error, str) and error:
                raise Failure(USAGE, f"{query}: {excerpt(error)}")
            raise Failure(NOT_REACHED, f"cannot query {self._url}: it answers {answer.status}")
        data = found.get("data")
        if not isinstance(data, dict):
            raise Failure(NOT_REACHED, f"cannot query {self._url}: it does not answer as Prometheus does")
        return data


def _json(text: bytes) -> dict[str, Any]:
    """Return the object that a text is; an empty one where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # it is no JSON, or deeper than any answer
        return {}
    return found if isinstance(found, dict) else {}


def _number(query: Query, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Failure(USAGE, f"{query}: it returns {excerpt(text)!r}, which is no count")
    return value
