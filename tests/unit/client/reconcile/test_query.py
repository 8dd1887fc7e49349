"""Queries as options."""

import click
import pytest

from stentor_client.reconcile.quantity import COUNT_NAMES, Side
from stentor_client.reconcile.query import Query, QueryType

SERVERS = QueryType(Side.SERVER)


@pytest.mark.parametrize("name", COUNT_NAMES)
def test_query(name: str) -> None:
    """A query has the name of a count before it, and may have any character in it; what was parsed stays as it is."""
    promql = 'sum(x_total{job="a", le="1"}) - (x_total offset 1m == 3)'
    query = SERVERS.convert(f"{name} = {promql}", None, None)
    assert query == Query(Side.SERVER, name, promql) == SERVERS.convert(query, None, None)
    assert str(query) == f"--server-query {name}={promql}"


@pytest.mark.parametrize("wrong", ["", "sum(x)", "connections", "connections=", "=sum(x)", "bytes=sum(x)"])
def test_no_query(wrong: str) -> None:
    """A query without the name of a count, or without PromQL, is refused, with all names."""
    with pytest.raises(click.BadParameter, match="NAME of connections, sent_bytes, received_bytes"):
        SERVERS.convert(wrong, None, None)


def test_variable() -> None:
    """The variable has one on each line, because PromQL contains blanks and commas."""
    lines = ["connections=sum by (a, b) (x)", "sent_bytes=y"]
    assert SERVERS.split_envvar_value("\n".join([*lines, " "])) == lines
