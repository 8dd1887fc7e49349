"""The dashboards of Grafana: that each is whole, and that what it asks for is there to be had."""

import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import DASHBOARDS, FOLDER, Query, panels, queries, variables
from series import DECLARED, RECORDED, selectors

ROOT = Path(__file__).parents[3]
COLUMNS = 24
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
# What every process exports, and what Prometheus itself knows; with the labels that may be asked for.
STANDARD = {
    "process_cpu_seconds_total": {"process"},
    "process_max_fds": {"process"},
    "process_open_fds": {"process"},
    "process_resident_memory_bytes": {"process"},
    "process_start_time_seconds": {"process"},
    "ALERTS": {"alertname", "alertstate", "severity"},
}

_all_dashboards = pytest.mark.parametrize("dashboard", DASHBOARDS.values(), ids=DASHBOARDS)
_all_panels = pytest.mark.parametrize(
    "panel",
    [
        pytest.param(panel, id=f"{name}: {panel['title']}")
        for name, dashboard in DASHBOARDS.items()
        for panel in panels(dashboard)
    ],
)
_all_queries = pytest.mark.parametrize(
    ("query", "filled"),
    [
        pytest.param(query, query.filled(**{name: name for name in variables(dashboard)}), id=f"{title}: {query[:2]}")
        for title, dashboard in DASHBOARDS.items()
        for query in queries(dashboard)
    ],
)


def test_there_are_dashboards() -> None:
    """The dashboards are where the tests look for them, and no two have the same uid or title."""
    found = {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()}
    assert found == {"pair": "stentor-pair", "server-workers": "stentor-server-workers"}
    assert len({dashboard["title"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)


@_all_dashboards
def test_ids(dashboard: dict[str, Any]) -> None:
    """Within a dashboard every panel has an id of its own, and a title of its own."""
    for key in ("id", "title"):
        assert [
            value for value, count in Counter(panel[key] for panel in dashboard["panels"]).items() if count > 1
        ] == []


@_all_dashboards
def test_places(dashboard: dict[str, Any]) -> None:
    """Every panel is within the grid, and none lies on another."""
    places = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
    for title, at in places:
        assert at["w"] > 0 < at["h"], title
        assert 0 <= at["x"] <= COLUMNS - at["w"], title
    for (one, a), (other, b) in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        above = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        assert beside or above, (one, other)


@_all_dashboards
def test_serves_elsewhere(dashboard: dict[str, Any]) -> None:
    """A dashboard can be imported by others: it names no data source of its own, and finds instances by itself."""
    (source,) = [each for each in dashboard["templating"]["list"] if each["type"] == "datasource"]
    assert source["query"] == "prometheus"
    wanted = {"type": "prometheus", "uid": f"${{{source['name']}}}"}
    users = [*panels(dashboard), *dashboard["annotations"]["list"]]
    users += [each for each in dashboard["templating"]["list"] if each["type"] == "query"]
    assert [user for user in users if user["datasource"] != wanted] == []
    for query in variables(dashboard).values():
        found = re.fullmatch(r"label_values\((\w+), instance\)", query)
        assert found
        assert found[1] in DECLARED
    (pages,) = dashboard["annotations"]["list"]  # those that fired, on the time axis
    assert [name for name, _ in selectors(pages["target"]["expr"])] == ["ALERTS"]


@_all_panels
def test_panel_has_all(panel: dict[str, Any]) -> None:
    """A panel says what it shows, in which unit, and what each of its lines is."""
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters) > 0
    if panel["type"] != "stat":
        assert all(target["legendFormat"] for target in panel["targets"])


@_all_queries
def test_query_reads_what_is_exported(query: Query, filled: str) -> None:
    """A query is one, and reads what a service declares or a rule records, by labels and values that are there."""
    found = selectors(filled)
    assert found
    for name, labels in found:
        assert name in DECLARED.keys() | RECORDED | STANDARD.keys(), query.panel
        for label, values in labels.items():
            if name in STANDARD:
                assert label in STANDARD[name] | {"instance"}
            elif label != "instance":
                assert values <= DECLARED[name][label], (name, label)


@_all_queries
def test_query_is_of_the_chosen(query: Query, filled: str) -> None:
    """What is read of a service is read of those instances of it that were chosen; rules and alerts are of all."""
    for name, labels in selectors(filled):
        if name not in RECORDED and name != "ALERTS":
            service = "client" if name.startswith("stentor_client_") else "server"
            assert labels.get("instance") == {service}, query.panel


def test_provisioning() -> None:
    """Grafana is given the dashboards where it is told to look, and the Prometheus of the compose project."""
    mounts = dict(volume.split(":")[:2] for volume in COMPOSE["services"]["grafana"]["volumes"])
    for each in ("dashboards", "datasources"):
        assert mounts[f"./observability/grafana/provisioning/{each}"] == f"/etc/grafana/provisioning/{each}"
    (provider,) = _provisioned("dashboards/stentor.yml")["providers"]
    assert provider["options"]["path"] == mounts["./observability/grafana/dashboards"]
    (source,) = _provisioned("datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    scrapes = yaml.safe_load((ROOT / "observability/prometheus/prometheus.yml").read_text(encoding="utf-8"))["global"]
    assert source["jsonData"]["timeInterval"] == scrapes["scrape_interval"]
    assert COMPOSE["services"]["grafana"]["profiles"] == ["grafana"]


def _provisioned(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "provisioning" / path).read_text(encoding="utf-8"))
    return found
