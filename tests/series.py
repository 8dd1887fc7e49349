"""The series there are to ask for: what the two services declare, and what the rules of Prometheus record.

And what a query of Prometheus reads, found by a parser of its language.
"""

from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import yaml
from promql_parser import Expr, MatchOp, VectorSelector

from stentor_chassis.counters.metrics import Histogram, Metric, Schema
from stentor_client.metrics import SCHEMA as CLIENT
from stentor_server.metrics import SCHEMA as SERVER


def _series(schema: Schema, metric: Metric) -> dict[str, dict[str, set[str]]]:
    """Return the names under which a metric is exported, each with its labels and their values."""
    name = f"{schema.prefix}_{metric.name}"
    labels = {metric.label: set(metric.values)} if metric.label else {}
    if not isinstance(metric, Histogram):
        return {name: labels}
    bounds = {f"{bound * metric.scale:.12g}" for bound in metric.bounds}
    return {f"{name}_bucket": {**labels, "le": bounds}, f"{name}_count": labels, f"{name}_sum": labels}


DECLARED = {
    name: labels
    for schema in (SERVER, CLIENT)
    for metric in schema.metrics
    for name, labels in _series(schema, metric).items()
}

_FOLDER = Path(__file__).parents[1] / "observability" / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for path in (_FOLDER / "expected.yml", *sorted((_FOLDER / "rules").glob("*.yml")))
    for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}


class Selector(NamedTuple):
    """One selection of series: the name, and the values that are named of each label that is asked for."""

    name: str
    labels: dict[str, set[str]]


def selectors(query: str) -> list[Selector]:
    """Return every selection of series in a query; ValueError says where the query is not one."""
    found = []

    def visit(expression: Expr) -> None:
        if isinstance(expression, VectorSelector):
            assert expression.name, f"series are selected without a name: {expression.prettify()}"
            found.append(Selector(expression.name, _labels(expression)))

    promql_parser.walk(promql_parser.parse(query), visit)
    return found


def _labels(selector: VectorSelector) -> dict[str, set[str]]:
    """Return what is asked of labels; of regular expressions only alternatives are told apart."""
    labels: dict[str, set[str]] = {}
    for matcher in selector.matchers.matchers:
        alternatives = matcher.op in (MatchOp.Re, MatchOp.NotRe)
        labels.setdefault(matcher.name, set()).update(matcher.value.split("|") if alternatives else [matcher.value])
    return labels
