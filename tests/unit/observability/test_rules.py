"""The rules of Prometheus: what every alert has, and that what they read is there to be read."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from series import DECLARED, RECORDED, RULES, selectors

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "observability" / "prometheus"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


TESTS = [
    case
    for path in sorted((FOLDER / "tests").glob("*.yml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}


def _anchors(text: str) -> set[str]:
    """Return what links can lead to: the headings, as forges spell them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_there_are_rules() -> None:
    """The rules are where the tests look for them, and each name is there once."""
    assert len(ALERTS) == len([rule for rule in RULES if "alert" in rule]) == 15
    recorded = [(rule["record"], *rule.get("labels", {}).values()) for rule in RULES if "record" in rule]
    assert len(set(recorded)) == len(recorded) == 35
    assert "instance:stentor_client_exchanges_failed:ratio5m" in RECORDED


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
    """What a rule reads is declared by a service or recorded by a rule, and so is every label that it selects by.

    Labels that people add survive: no rule names those that it keeps.
    """
    assert " by (" not in rule["expr"]
    for name, labels in selectors(rule["expr"]):
        assert name in DECLARED.keys() | RECORDED | {"up", "process_start_time_seconds"}
        for label, values in labels.items():
            assert label == "process" or values <= DECLARED[name][label], (name, label)


def test_runbook_asks_for_what_is_exported() -> None:
    """The queries of the runbook name no series that is not there."""
    named = set(re.findall(r"\bstentor_(?:server|client)_\w+", OPERATIONS))
    assert named <= DECLARED.keys() | {record.split(":")[1] for record in RECORDED}
    recorded = set(re.findall(r"`((?:instance|stentor):[\w:]+)`", OPERATIONS))
    assert recorded <= RECORDED


def test_what_a_query_reads() -> None:
    """The series in a query are found, with what is asked of their labels, and nothing else is taken for one."""
    query = (
        'sum by (job, le) (rate(a_total{x=~"b|c",y!="d"}[5m])) / (d:e:f > bool 0.5) '
        "or absent(up) and on () g offset 30m * 14.4 unless 1e3 == max_over_time(h[1h:1m])"
    )
    assert selectors(query) == [
        ("a_total", {"x": {"b", "c"}, "y": {"d"}}),
        ("d:e:f", {}),
        ("up", {}),
        ("g", {}),
        ("h", {}),
    ]
    with pytest.raises(ValueError, match="parenthesis"):
        selectors("sum(a")
