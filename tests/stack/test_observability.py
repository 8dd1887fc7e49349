"""What Prometheus makes of the pair's metrics, and of the rules on them."""

import subprocess
import urllib.request
from typing import Any

import pytest

from exposition import OPENER
from stack.compose import ENVIRONMENT, Stack
from waiting import until

pytestmark = pytest.mark.timeout(600)

ADMIN = {"server": 8081, "client": 8082}
# What Prometheus asks for.
ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.3"


def _metrics(stack: Stack, service: str, accept: str) -> tuple[str, bytes]:
    """Return the content type, and the text, of what a service exports."""
    request = urllib.request.Request(f"{stack.url(service, ADMIN[service])}/metrics", headers={"Accept": accept})
    with OPENER.open(request, timeout=10) as response:
        return response.headers["Content-Type"], response.read()


def _promtool(stack: Stack, *arguments: str, data: bytes = b"") -> tuple[int, str]:
    """Run the promtool that came with Prometheus; return its exit code and all that it says."""
    temporary = "TMPDIR=/prometheus"  # all else is read-only
    container = str(stack.container("prometheus").id)
    command = ["docker", "exec", "--interactive", "--env", temporary, container, "promtool", *arguments]
    done = subprocess.run(command, input=data, env=ENVIRONMENT, capture_output=True, timeout=300, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("service", ADMIN)
def test_metrics_are_as_they_should_be(stack: Stack, service: str) -> None:
    """The names, helps and types of all metrics are as Prometheus wants them, without a complaint."""
    content_type, text = _metrics(stack, service, "text/plain")
    assert content_type.startswith("text/plain")
    assert f"\nstentor_{service}_workers ".encode() in text
    assert _promtool(stack, "check", "metrics", data=text) == (0, "")


@pytest.mark.parametrize("service", ADMIN)
def test_prometheus_reads_openmetrics(stack: Stack, service: str) -> None:
    """Prometheus is given OpenMetrics, which `promtool check metrics` does not read, and takes all samples of it."""
    content_type, text = _metrics(stack, service, ACCEPT)
    assert content_type.startswith("application/openmetrics-text")
    samples = [line for line in text.splitlines() if not line.startswith(b"#")]
    assert text.endswith(b"# EOF\n")
    target = until(lambda: _scraped(stack, service), "a scrape", 60)
    assert target["lastError"] == ""
    (network,) = stack.container(service).attrs["NetworkSettings"]["Networks"].values()
    query = f'scrape_samples_scraped{{job="stentor-{service}",instance="{network["IPAddress"]}:{ADMIN[service]}"}}'
    until(lambda: stack.value(query) == len(samples), f"{len(samples)} samples", 60)


def test_rules_are_loaded(stack: Stack) -> None:
    """Prometheus has all rule files, and evaluates every rule without an error."""

    def evaluated() -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = [rule for group in stack.prometheus("rules")["groups"] for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else []

    rules = until(evaluated, "every rule to be evaluated", 90)
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    assert {"StentorServerDown", "StentorTargetNotVerified", "StentorAccountsDisagree"} <= {
        rule["name"] for rule in rules if rule["type"] == "alerting"
    }


def test_alert_on_a_client_that_goes(stack: Stack) -> None:
    """Without clients the alert on that is pending, and with one again it ends."""
    until(lambda: "StentorClientDown" not in _alerts(stack), "no alert", 90)
    stack.container("client").stop(timeout=12)
    until(lambda: "StentorClientDown" in _alerts(stack), "the alert", 90)
    stack.up("--scale", "client=1")
    until(lambda: "StentorClientDown" not in _alerts(stack), "the end of the alert", 90)


def _alerts(stack: Stack) -> set[str]:
    return {alert["labels"]["alertname"] for alert in stack.prometheus("alerts")["alerts"]}


def _scraped(stack: Stack, service: str) -> dict[str, Any] | None:
    targets: list[dict[str, Any]] = stack.prometheus("targets", state="active")["activeTargets"]
    found = [each for each in targets if each["labels"]["job"] == f"stentor-{service}" and each["health"] == "up"]
    return found[0] if found else None
