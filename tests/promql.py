"""What a query of Prometheus reads, found by a parser of its language."""

from typing import NamedTuple

import promql_parser
from promql_parser import Expr, MatchOp, VectorSelector


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
