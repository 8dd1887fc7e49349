"""Queries that a person writes, as options."""

from dataclasses import dataclass
from typing import Any

import click

from stentor_chassis.escaping import escaped
from stentor_client.reconcile.side import COUNT_NAMES, Side


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and the count of which side it is held against."""

    side: Side
    name: str
    promql: str

    def __str__(self) -> str:
        """Return it as it was given, for people."""
        return escaped(f"--{self.side}-query {self.name}={self.promql}")


class QueryType(click.ParamType[Query]):
    """`NAME=PROMQL`; of an option with `multiple=True` the variable takes one on each line."""

    name = "query"

    def __init__(self, side: Side) -> None:
        """Hold it against what this side counted."""
        self._side = side

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Query:
        """Parse, or fail with what is wanted."""
        if isinstance(value, Query):
            return value
        name, _, promql = (part.strip() for part in value.partition("="))
        if name not in COUNT_NAMES or not promql:
            self.fail(f"{value!r} is not NAME=PROMQL with a NAME of {', '.join(COUNT_NAMES)}", param, ctx)
        return Query(self._side, name, promql)

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split the value of the variable: PromQL has blanks and commas in it."""
        return [line for line in rv.splitlines() if line.strip()]
