"""The dashboards of Grafana before a real Prometheus: every query is answered, and with data."""

import math
import re
import signal
import time
from typing import Any

import pytest

from dashboards import DASHBOARDS, Query, queries, variables
from stack.compose import Stack
from waiting import until

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_queries_return_data(stack: Stack, name: str) -> None:
    """Every query of every panel, of the instances that Grafana would find, returns numbers, and the labels it shows.

    A histogram in which nothing was counted has no quantiles: of several series one with numbers is enough. The
    second of two reloads ends the client's connection, so that both sides have an age to tell.
    """
    chosen = {variable: _chosen(stack, query) for variable, query in variables(DASHBOARDS[name]).items()}
    _reload(stack)
    _reload(stack)
    asked = list(queries(DASHBOARDS[name]))
    assert asked
    for query in asked:

        def answered(query: Query = query) -> list[dict[str, Any]]:
            found = _answer(stack, query.filled(**chosen), instant=query.instant)
            return found if any(_numbers(series) for series in found) else []

        for series in until(answered, f"data for {query}", 90):
            assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= series["metric"].keys(), query


def _reload(stack: Stack) -> None:
    """Have the server replace both of its workers."""
    reloads = 'stentor_server_worker_restarts_total{reason="reload"}'
    before = stack.server_metrics()[reloads]
    stack.container("server").kill(signal.SIGHUP.name)
    until(lambda: stack.server_metrics()[reloads] == before + 2, "new workers", 30)


def _chosen(stack: Stack, query: str) -> str:
    """Return what Grafana puts in place of a variable where all of its values are chosen."""
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", query)
    assert found
    values: list[str] = until(
        lambda: stack.prometheus(f"label/{found[2]}/values", **{"match[]": found[1]}), f"an answer to {query}", 60
    )
    return "(" + "|".join(value.replace(".", r"\\.") for value in values) + ")"


def _answer(stack: Stack, expression: str, *, instant: bool) -> list[dict[str, Any]]:
    """Return the series that a query finds now, or that it found over the last minute."""
    if instant:
        result = stack.prometheus("query", query=expression)["result"]
    else:
        now = time.time()
        result = stack.prometheus("query_range", query=expression, start=f"{now - 60}", end=f"{now}", step="5")[
            "result"
        ]
    series: list[dict[str, Any]] = result
    return series


def _numbers(series: dict[str, Any]) -> list[float]:
    """Return what of a series is a number."""
    samples = series.get("values") or [series["value"]]
    return [number for _, text in samples if not math.isnan(number := float(text))]
