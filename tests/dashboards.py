"""The dashboards of Grafana, read as Grafana does: what they ask of Prometheus, with its variables filled in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parents[1] / "observability" / "grafana"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "dashboards").glob("*.json"))
}
# What Grafana puts in place of its own variables, for a page that shows a quarter of an hour.
_BUILT_IN = {"$__rate_interval": "20s", "$__interval": "1m", "$__range": "15m"}


class Query(NamedTuple):
    """One query of a panel, of one value or of values over time."""

    panel: str
    letter: str
    expression: str
    legend: str
    instant: bool

    def filled(self, **variables: str) -> str:
        """Return the expression as Prometheus gets it, with these values of the dashboard's variables."""
        text = self.expression
        for name, value in {**_BUILT_IN, **{f"${name}": value for name, value in variables.items()}}.items():
            text = text.replace(name, value)
        assert "$" not in text, f"{text} has a variable that the dashboard has not"
        return text


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the panels that show something: all but the headings of rows."""
    yield from (panel for panel in dashboard["panels"] if panel["type"] != "row")


def queries(dashboard: dict[str, Any]) -> Iterator[Query]:
    """Yield the queries of all panels."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            legend, instant = target.get("legendFormat", ""), target.get("instant", False)
            yield Query(panel["title"], target["refId"], target["expr"], legend, instant)


def variables(dashboard: dict[str, Any]) -> dict[str, str]:
    """Return the variables that are filled with labels of a series: the query that finds them, by name."""
    return {each["name"]: each["query"]["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"}
