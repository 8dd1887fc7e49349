"""The pair and Prometheus in real containers."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from exposition import OPENER, Samples, balanced, total
from stack.compose import ROOT, Stack
from waiting import until

pytestmark = pytest.mark.timeout(600)

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
OK = 'stentor_client_exchanges_total{outcome="ok"}'


def test_replies(stack: Stack) -> None:
    """From outside, and from a client in a container, what comes back is the upper case of what was sent."""
    data = os.urandom(300_000)
    assert stack.ask(b"hello") == b"HELLO"
    assert stack.ask(data) == data.upper()
    code, output = stack.container("client").exec_run(["stentor-client", "send", "through", "the", "network"])
    assert (code, output) == (0, b"THROUGH THE NETWORK\n")


def test_every_log_line_is_an_event(stack: Stack) -> None:
    """Every line of both logs parses and has the common keys; the expected events are there with theirs."""
    stack.ask(b"logged")
    until(lambda: [e for e in stack.events("server", "connection.closed") if e["received_bytes"] == 6], "the event")
    for service, expected in (
        ("server", {"server.ready", "worker.started", "connection.closed"}),
        ("client", {"client.ready", "worker.started", "probe.started", "connection.opened", "exchange.completed"}),
    ):
        events = stack.events(service)
        assert expected <= {event["event"] for event in events}
        keys = {"timestamp", "level", "event", "service", "version", "worker"}
        assert [event for event in events if not keys <= event.keys()] == []
        assert {event["service"] for event in events} == {f"stentor-{service}"}
    closed = stack.events("server", "connection.closed")[-1]
    assert {"peer", "received_bytes", "sent_bytes", "duration_seconds", "reason"} <= closed.keys()
    completed = stack.events("client", "exchange.completed")[-1]
    assert {"sequence", "size_bytes", "response_time_seconds", "service_time_seconds"} <= completed.keys()


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


def test_both_sides_count_exactly_what_was_sent(stack: Stack) -> None:
    """What the server counted is what the client counted and what this test sent, to the byte."""
    server_before, client_before = _between_exchanges(stack)
    data = os.urandom(12_345)
    assert stack.ask(data) == data.upper()
    stack.exchanges_go_on()
    until(lambda: stack.server_metrics()["stentor_server_connections_active"] == 1, "this test's connection to end")
    server, client = _between_exchanges(stack)

    def counted(name: str) -> float:
        return server[f"stentor_server_{name}"] - server_before[f"stentor_server_{name}"]

    def client_counted(name: str) -> float:
        return client[f"stentor_client_{name}"] - client_before[f"stentor_client_{name}"]

    assert counted("received_bytes_total") == client_counted("sent_bytes_total") + len(data)
    assert counted("sent_bytes_total") == client_counted("received_bytes_total") + len(data)
    assert counted("connections_accepted_total") == client_counted("connections_opened_total") + 1
    assert server["stentor_server_connections_active"] == client["stentor_client_connections_active"] == 1
    assert counted("unsent_bytes_total") == 0
    assert balanced(server)


def test_prometheus_sees_both(stack: Stack) -> None:
    """Prometheus has server and client up, and what it says of them rises to what they say of themselves."""
    until(lambda: _up(stack, "stentor-server") == 1 and _up(stack, "stentor-client") == 1, "both targets up", 60)
    (network,) = stack.container("client").attrs["NetworkSettings"]["Networks"].values()
    # Of this client: for a while Prometheus remembers clients that another test had.
    query = f'stentor_client_exchanges_total{{outcome="ok",instance="{network["IPAddress"]}:8082"}}'
    first = until(lambda: stack.value(query), "a value", 60)
    until(lambda: (stack.value(query) or 0) > first, "a larger value", 60)
    value = stack.value(query)
    assert value is not None
    assert value <= stack.client_metrics()[OK]


def test_prometheus_finds_every_replica(stack: Stack) -> None:
    """Three clients run side by side, and Prometheus finds all three."""
    stack.up("--scale", "client=3")
    assert len(stack.containers("client")) == 3
    until(lambda: _up(stack, "stentor-client") == 3, "three clients up", 90)


def test_client_outlives_a_restart_of_the_server(stack: Stack) -> None:
    """When the server restarts, the client says what it lost, comes back by itself, and counts no exchange twice."""
    lost = total(stack.client_metrics(), "stentor_client_connections_lost_total")
    stack.container("server").restart(timeout=12)
    stack.exchanges_go_on()
    values = stack.client_metrics()
    assert total(values, "stentor_client_connections_lost_total") > lost
    assert values["stentor_client_target_up"] == 1
    events = stack.events("client")
    started = max(at for at, event in enumerate(events) if event["event"] == "probe.started")
    events = events[started:]  # the container may have run before
    ended = [event["sequence"] for event in events if event["event"] in {"exchange.completed", "exchange.failed"}]
    assert ended == list(range(len(ended)))
    assert [event for event in events if event["event"] == "connection.lost"]


def test_accounts_balance_after_a_worker_was_killed(stack: Stack) -> None:
    """A worker killed under the probe is replaced; the client reconnects; nothing is missing from the accounts."""
    until(lambda: stack.server_metrics()["stentor_server_connections_active"] == 1, "only the probe to be connected")
    before = stack.server_metrics()
    kill = "import os, sys; [os.kill(int(pid), 9) for pid in sys.argv[1:]]"
    workers = stack.server_status()["workers"]
    assert [worker["state"] for worker in workers].count("ready") == 2
    pids = [str(worker["pid"]) for worker in workers]  # the probe may still be with one that retired
    code, output = stack.container("server").exec_run(["/opt/stentor/bin/python", "-c", kill, *pids])
    assert code == 0, output
    stack.exchanges_go_on()
    until(lambda: balanced(stack.server_metrics()), "a moment without a byte under way")
    values = stack.server_metrics()
    lost = 'stentor_server_connections_closed_total{reason="worker_lost"}'
    assert values[lost] == before[lost] + 1
    killed = 'stentor_server_worker_restarts_total{reason="signal"}'
    assert values[killed] == before[killed] + 2
    assert values["stentor_server_received_bytes_total"] >= before["stentor_server_received_bytes_total"]


@pytest.mark.parametrize("service", ["client", "server"])
def test_clean_stop(stack: Stack, service: str) -> None:
    """`docker stop` ends a service within its grace, with exit code 0, and its last word is that it stopped."""
    container = stack.container(service)
    container.stop(timeout=12)
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0
    assert b"stopped" in container.logs().splitlines()[-1]


def test_signals_reach_the_first_process(stack: Stack) -> None:
    """SIGHUP to the container replaces the workers, and the probe goes on."""
    started = len(stack.events("server", "worker.started"))
    stack.container("server").kill(signal.SIGHUP.name)
    until(lambda: len(stack.events("server", "worker.started")) == started + 2, "two workers replaced")
    stack.exchanges_go_on()
    assert stack.server_metrics()['stentor_server_worker_restarts_total{reason="reload"}'] >= 2


def _between_exchanges(stack: Stack) -> tuple[Samples, Samples]:
    """Scrape both sides while no exchange is under way: the client's counts are the same before and after."""

    def scraped() -> tuple[Samples, Samples] | None:
        before, server, client = stack.client_metrics(), stack.server_metrics(), stack.client_metrics()
        names = ("stentor_client_sent_bytes_total", "stentor_client_received_bytes_total", OK)
        quiet = all(before[name] == client[name] for name in names)
        return (server, client) if quiet and client[names[0]] == client[names[1]] else None

    return until(scraped, "a moment between two exchanges")


def _up(stack: Stack, job: str) -> int:
    targets = stack.prometheus("targets", state="active")["activeTargets"]
    return sum(target["labels"]["job"] == job and target["health"] == "up" for target in targets)


@pytest.mark.parametrize(("service", "port"), [("server", 8081), ("client", 8082)])
def test_live_page(stack: Stack, service: str, port: int) -> None:
    """The images hold all that the page is made of."""
    for path in ("/", "/page.css", "/page.js", "/drawing.js", "/recent"):
        with OPENER.open(stack.url(service, port) + path, timeout=10) as response:
            assert len(response.read()) > 1000
