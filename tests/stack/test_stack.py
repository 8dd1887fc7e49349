"""The pair and Prometheus in real containers."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from exposition import OPENER
from stack.compose import ROOT, Stack
from waiting import until

pytestmark = pytest.mark.timeout(600)

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_replies(stack: Stack) -> None:
    """From outside, and from a client in a container, what comes back is the upper case of what was sent."""
    data = os.urandom(300_000)
    assert stack.ask(b"hello") == b"HELLO"
    assert stack.ask(data) == data.upper()
    code, output = stack.container("client").exec_run(["stentor-client", "send", "through", "the", "network"])
    assert (code, output) == (0, b"THROUGH THE NETWORK\n")


def test_logs_for_questions(stack: Stack, tmp_path: Path) -> None:
    """What docs/operations.md says to type before its questions makes files of events, one of each service."""
    commands = re.search(r"the logs in two files:\n\n```\n(.*?)^```$", OPERATIONS, re.MULTILINE | re.DOTALL)
    assert commands
    project = {"COMPOSE_PROJECT_NAME": stack.project, "COMPOSE_FILE": f"{ROOT / 'docker-compose.yml'}"}
    bash = ["bash", "-e", "-o", "pipefail", "-c", commands[1]]
    subprocess.run(bash, cwd=tmp_path, env=stack.environment | project, check=True, timeout=60)
    for service in ("server", "client"):
        lines = (tmp_path / f"{service}.log").read_text(encoding="utf-8").splitlines()
        assert {json.loads(line)["service"] for line in lines} == {f"stentor-{service}"}


def test_client_reconciles_both_sides(stack: Stack) -> None:
    """From its container, the client finds that both sides count the same while it probes."""
    command = ["stentor-client", "reconcile", "--server-admin", "http://server:8081", "--during", "3s"]
    code, output = stack.container("client").exec_run([*command, "--timeout", "30s"])
    assert (code, b"agree" in output) == (0, True), output


def test_prometheus_finds_every_replica(stack: Stack) -> None:
    """Three clients run side by side, and Prometheus finds all three."""
    stack.up("--scale", "client=3")
    assert len(stack.containers("client")) == 3
    until(lambda: _up(stack, "stentor-client") == 3, "three clients up", 90)


@pytest.mark.parametrize("service", ["client", "server"])
def test_clean_stop(stack: Stack, service: str) -> None:
    """`docker stop` ends a service within its grace, with exit code 0, and its last word is that it stopped."""
    container = stack.container(service)
    container.stop(timeout=12)
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0
    assert b"stopped" in container.logs().splitlines()[-1]


def _up(stack: Stack, job: str) -> int:
    targets = stack.prometheus("targets", state="active")["activeTargets"]
    return sum(target["labels"]["job"] == job and target["health"] == "up" for target in targets)


@pytest.mark.parametrize(("service", "port"), [("server", 8081), ("client", 8082)])
def test_live_page(stack: Stack, service: str, port: int) -> None:
    """The images hold all that the page is made of."""
    for path in ("/", "/page.css", "/page.js", "/drawing.js", "/recent"):
        with OPENER.open(stack.url(service, port) + path, timeout=10) as response:
            assert len(response.read()) > 1000
