"""The rules of Prometheus: what every alert has, and that what they read is there to be read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from stentor_chassis.metrics import Histogram, Metric, Schema
from stentor_client.metrics import SCHEMA as CLIENT
from stentor_server.metrics import SCHEMA as SERVER

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "observability" / "prometheus"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

_STRING = r'"[^"]*"'
_NAME = r"[A-Za-z_:][\w:]*"
_SELECTOR = re.compile(rf"({_NAME})\{{([^}}]*)\}}")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_WORDS = {"and", "or", "unless", "offset", "bool"}


def _documents(folder: str) -> dict[str, Any]:
    return {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / folder).glob("*.yml"))
    }


RULES: list[dict[str, Any]] = [
    rule for document in _documents("rules").values() for group in document["groups"] for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDS = {rule["record"] for rule in RULES if "record" in rule}
TESTS = [case for document in _documents("tests").values() for case in document["tests"]]


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


def _metrics(expression: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|" + _STRING, " ", expression)
    bare = re.sub(r"\b(?:by|without|on|ignoring|offset)\s*(?:\([^)]*\)|\d+[smhd])", " ", bare)
    return {name for name, call in re.findall(rf"(?<![\w.:])({_NAME})(\s*\()?", bare) if not call} - _WORDS


def _anchors(text: str) -> set[str]:
    """Return what links can lead to: the headings, as forges spell them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_there_are_rules() -> None:
    """The rules are where the tests look for them, and each name is there once."""
    assert len(ALERTS) == len([rule for rule in RULES if "alert" in rule]) == 15
    assert "job:stentor_client_exchanges_failed:ratio5m" in RECORDS


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_all(name: str) -> None:
    """An alert has a severity, a text with what is special to it, and a section in the runbook."""
    alert = ALERTS[name]
    assert re.fullmatch(r"Stentor([A-Z][a-z]+)+", name)
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"page", "ticket"}
    annotations = alert["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert annotations["summary"]
    assert "{{" in annotations["description"]
    page, _, anchor = annotations["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/operations.md", name.lower())
    assert anchor in _anchors(OPERATIONS)


@pytest.mark.parametrize("name", ALERTS)
def test_alert_is_quick(name: str) -> None:
    """No alert waits for longer than two minutes for its condition to last."""
    assert ALERTS[name].get("for", "0m") in {"0m", "1m", "2m"}


@pytest.mark.parametrize("name", ALERTS)
def test_alert_fires_and_does_not(name: str) -> None:
    """Every alert has a rule test in which it fires, and one in which it does not."""
    expected = [
        case["exp_alerts"] for group in TESTS for case in group.get("alert_rule_test", ()) if case["alertname"] == name
    ]
    assert any(expected), "no test in which it fires"
    assert not all(expected), "no test in which it does not"


def test_rule_tests_are_of_alerts_that_exist() -> None:
    """A rule test of an alert that is not there would always pass for one that does not fire."""
    tested = {case["alertname"] for group in TESTS for case in group.get("alert_rule_test", ())}
    assert tested == set(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_runbook(name: str) -> None:
    """The section of an alert says why, where to look and how to silence it; the table has its severity."""
    section = OPERATIONS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    for part in ("*Likely causes.*", "*Look first at*", "*Silence*"):
        assert part in section
    assert re.search(rf"alertname=~?{name[:20]}", section)
    assert f"| [{name}](#{name.lower()}) | {ALERTS[name]['labels']['severity']} |" in OPERATIONS


def test_runbook_is_of_alerts_that_exist() -> None:
    """There is no section about an alert that is gone, and every link within the page leads to a heading."""
    assert set(re.findall(r"^## (Stentor\w+)$", OPERATIONS, re.MULTILINE)) == set(ALERTS)
    assert set(re.findall(r"\]\(#([^)]+)\)", OPERATIONS)) <= _anchors(OPERATIONS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule.get("record"))
def test_rule_reads_what_is_exported(rule: dict[str, Any]) -> None:
    """What a rule reads is declared by a service or recorded by a rule, and so is every label that it selects by."""
    expression = rule["expr"]
    names = _metrics(expression)
    assert names
    assert names <= DECLARED.keys() | RECORDS | {"up"}
    for metric, matchers in _SELECTOR.findall(expression):
        for label, operator, value in _MATCHER.findall(matchers):
            if metric != "up":
                asked = value.split("|") if "~" in operator else [value]
                assert set(asked) <= DECLARED[metric][label], (metric, label)


def test_runbook_asks_for_what_is_exported() -> None:
    """The queries of the runbook name no series that is not there."""
    named = set(re.findall(r"\bstentor_(?:server|client)_\w+", OPERATIONS))
    assert named <= DECLARED.keys() | {record.split(":")[1] for record in RECORDS}
    recorded = set(re.findall(r"`((?:job|stentor):[\w:]+)`", OPERATIONS))
    assert recorded <= RECORDS


def test_reader_of_expressions() -> None:
    """The names in an expression are found, and nothing else is taken for one."""
    expression = (
        'sum by (job, le) (rate(a_total{x=~"b|c"}[5m])) / (d:e:f > bool 0.5) '
        "or absent(up) and on () g offset 30m * 14.4 unless 1e3 == h"
    )
    assert _metrics(expression) == {"a_total", "d:e:f", "up", "g", "h"}
