"""Queries a Prometheus, or a database with the same interface."""

import json
import math
from typing import Any
from urllib.parse import urlencode

from stentor_chassis.failure import USAGE, Failure
from stentor_client.reconcile.web import excerpt, get
from stentor_client.verify.outcomes import NOT_REACHED

Labels = frozenset[tuple[str, str]]


class Prometheus:
    """The Prometheus at a URL, which is the part before `/api/v1`, asked on behalf of one option.

    Its methods raise `Failure` if the query is wrong, or if there is no answer; the message says why.
    """

    def __init__(self, url: str, option: object) -> None:
        """Name this option in messages."""
        self._url = url
        self._option = option

    async def present(self, promql: str) -> tuple[float, float] | None:
        """Return Prometheus' time and the value of a query then; None if there is no such series, or not yet."""
        data = await self._answer("query", query=promql)
        match data.get("resultType"), data.get("result"):
            case "vector", []:
                return None
            case ("vector", [{"value": [int() | float() as now, str(text)]}]) | (
                "scalar",
                [int() | float() as now, str(text)],
            ):
                return now, self._number(text)
        raise Failure(USAGE, f"{self._option}: it does not return a single value; add several series up with sum(…)")

    async def samples(self, path: str, **parameters: str) -> list[tuple[Labels, list[tuple[float, float]]]]:
        """Return the labels of each series, and its values with their times: of `query_range`, or of a range."""
        data = await self._answer(path, **parameters)
        try:
            return [
                (frozenset(each["metric"].items()), [(float(at), float(value)) for at, value in each["values"]])
                for each in data["result"]
            ]
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise self._stranger() from error

    async def _answer(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = await get(f"{self._url}/api/v1/{path}?{urlencode(parameters)}")
        found = _json(answer.body)
        if not answer.ok:
            error = found.get("error")
            if isinstance(error, str) and error:
                raise Failure(USAGE, f"{self._option}: {excerpt(error)}")
            raise Failure(NOT_REACHED, f"cannot query {self._url}: it answered {answer.status}")
        data = found.get("data")
        if not isinstance(data, dict):
            raise self._stranger()
        return data

    def _stranger(self) -> Failure:
        return Failure(NOT_REACHED, f"cannot query {self._url}: its answer is not from Prometheus")

    def _number(self, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value < math.inf:  # also excludes NaN
            raise Failure(USAGE, f"{self._option}: it returns {excerpt(text)!r}, which is not a count")
        return value


def _json(text: bytes) -> dict[str, Any]:
    """Return the JSON object in `text`; an empty one if there is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, or nested deeper than any answer
        return {}
    return found if isinstance(found, dict) else {}
