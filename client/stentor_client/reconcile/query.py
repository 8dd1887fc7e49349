"""Queries that a person writes, as options."""

from dataclasses import dataclass
from typing import Any

import click

from stentor_chassis.escaping import escaped
from stentor_client.reconcile.quantity import COUNT_NAMES, Side


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL query, and the count that its result is compared with."""

    side: Side
    name: str
    promql: str

    def __str__(self) -> str:
        """Return the option as it was given, for people."""
        return escaped(f"--{self.side}-query {self.name}={self.promql}")


class QueryType(click.ParamType[Query]):
    """`NAME=PROMQL`; the variable of an option with `multiple=True` has one on each line."""

    name = "query"

    def __init__(self, side: Side) -> None:
        """Compare it with a count of this side."""
        self._side = side

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Query:
        """Parse, or fail with the expected form."""
        if isinstance(value, Query):
            return value
        name, _, promql = (part.strip() for part in value.partition("="))
        if name not in COUNT_NAMES or not promql:
            self.fail(f"{value!r} is not NAME=PROMQL with a NAME of {', '.join(COUNT_NAMES)}", param, ctx)
        return Query(self._side, name, promql)

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split the value of the variable by lines: PromQL contains blanks and commas."""
        return [line for line in rv.splitlines() if line.strip()]
