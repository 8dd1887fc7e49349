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


def test_names() -> None:
    """Each rule is there once; rule tests, sections of the runbook and links are about alerts that exist."""
    assert len(ALERTS) == len([rule for rule in RULES if "alert" in rule]) == 15
    recorded = [(rule["record"], *rule.get("labels", {}).values()) for rule in RULES if "record" in rule]
    assert len(set(recorded)) == len(recorded) == 35
    tested = {case["alertname"] for group in TESTS for case in group.get("alert_rule_test", ())}
    assert tested == set(ALERTS) == set(re.findall(r"^## (Stentor\w+)$", OPERATIONS, re.MULTILINE))
    assert set(re.findall(r"\]\(#([^)]+)\)", OPERATIONS)) <= _anchors(OPERATIONS)


@pytest.mark.parametrize("name", ALERTS)
def test_alert(name: str) -> None:
    """An alert has a severity and a text with what is special to it, waits for two minutes at most, and is tested.

    In one rule test it fires, in one it does not. The runbook says why, where to look and how to silence it.
    """
    alert = ALERTS[name]
    assert re.fullmatch(r"Stentor([A-Z][a-z]+)+", name)
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert.get("for", "0m") in {"0m", "1m", "2m"}
    annotations = alert["annotations"]
    assert annotations.keys() == {"summary", "description", "runbook_url"}
    assert annotations["summary"]
    assert "{{" in annotations["description"]
    assert annotations["runbook_url"] == f"docs/operations.md#{name.lower()}"
    tests = [case for group in TESTS for case in group.get("alert_rule_test", ()) if case["alertname"] == name]
    assert {bool(case["exp_alerts"]) for case in tests} == {True, False}
    section = OPERATIONS.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    for part in ("*Likely causes.*", "*Look first at*", "*Silence*"):
        assert part in section
    assert re.search(rf"alertname=~?{name[:20]}", section)
    assert f"| [{name}](#{name.lower()}) | {alert['labels']['severity']} |" in OPERATIONS


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
