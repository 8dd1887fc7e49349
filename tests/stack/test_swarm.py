"""The stack on a real swarm of three nodes: a rolling update, and the loss of a node, both under load."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from stack.cluster import MANAGER, NODES, SECONDS, Cluster, run
from stack.compose import Stack
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SERVER, CLIENT, NEXT = "stentor-server:latest", "stentor-client:latest", "stentor-server:next"
NETWORK = "stentor_stentor"
RESOLVE = """
import socket
for side, port in (("server", 8081), ("client", 8082)):
    for address in socket.gethostbyname_ex(f"tasks.{side}")[2]:
        print(f"--{side}-admin=http://{address}:{port}")
"""


@pytest.fixture(scope="module")
def deployed(built_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with the stack as `make swarm-up` deploys it; `make swarm-down` leaves nothing in it."""
    prometheus = str(built_stack.container("prometheus").attrs["Config"]["Image"])
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), [SERVER, CLIENT, prometheus])
    images = {"SERVER_IMAGE": SERVER, "CLIENT_IMAGE": CLIENT, "PROMETHEUS_IMAGE": prometheus}
    try:
        run("make", "swarm-up", environment=cluster.environment | images)
        yield cluster
        run("make", "swarm-down", environment=cluster.environment)
        until(lambda: not _left(cluster), "all to be removed, after the shutdown delay", SECONDS)
    finally:
        cluster.remove()


@pytest.fixture
def swarm(deployed: Cluster) -> Cluster:
    """The cluster with three servers and one client, whatever the test before did to it."""
    deployed.scale(server=3, client=1)
    return deployed


def test_rolling_update_loses_nothing(swarm: Cluster) -> None:
    """All servers are replaced by those of another image, and of 500 fresh connections a second none fails."""
    for node in NODES:
        container = swarm.node(node, "create", SERVER)
        swarm.node(node, "commit", "--change", "LABEL build=next", container, NEXT)
        swarm.node(node, "rm", container)
    old = {task["ID"] for task in swarm.running("stentor_server")}
    with _load(swarm, 1000, "--connection", "fresh", "--rate", "500", "--duration", "10m") as report:
        swarm.node(MANAGER, "service", "update", "--quiet", "--image", NEXT, "--no-resolve-image", "stentor_server")
        running = swarm.running("stentor_server")
        assert [task["Spec"]["ContainerSpec"]["Image"] for task in running] == [NEXT] * 3
        until(lambda: _ended(swarm, old), "the old servers to end", SECONDS)
        swarm.node(MANAGER, "kill", "--signal", "INT", "load")
    assert report["outcomes"] == {"ok": report["exchanges"]}, (report["addresses"], report["log"])
    assert (report["connections_lost"], report["shortages"]) == ({}, {})
    assert report["measured_seconds"] > 40  # the shutdown delay
    assert sum(each["failed_attempts"] for each in report["addresses"]) == 0
    assert len(report["addresses"]) == 4  # the three old servers, and all others


def test_loss_of_a_node(swarm: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    """Only exchanges with its servers fail; all have an outcome, others take over, and the accounts agree."""
    swarm.scale(server=6, client=3)
    node = NODES[-1]
    lost = _addresses(swarm, "stentor_server", node)
    assert len(lost) == 2
    assert _addresses(swarm, "stentor_client", node)
    with _load(swarm, 60, "--rate", "300", "--connections", "60", "--duration", "60s", "--warmup", "0") as report:
        killed = time.monotonic()
        swarm.cut(node)
        try:
            until(lambda: _elsewhere(swarm, "stentor_server", node) == 6, "six servers on the other nodes", SECONDS)
            recovery = time.monotonic() - killed
            until(lambda: _elsewhere(swarm, "stentor_client", node) == 3, "three clients there", SECONDS)
        finally:
            swarm.mend(node)
    failures = {each["address"].partition(":")[0]: each["failures"] for each in report["addresses"]}
    assert report["exchanges"] == report["due"] == sum(report["outcomes"].values())
    assert {address for address, number in failures.items() if number} <= lost
    assert report["outcomes"].keys() <= {"ok", "timeout", "reset", "eof"}
    failing = [each["end_seconds"] for each in report["slices"] if each["failures"]]
    probes = swarm.value('sum(stentor_client_exchanges_total{outcome!="ok"})')
    with capsys.disabled():
        print(f"\nloss of a node: {report['outcomes']}, of those due until {max(failing, default=0):.1f} s;", end=" ")
        print(f"{probes:.0f} of the probes; six servers on the others after {recovery:.1f} s")
    up = "count(stentor_client_target_up == 1) == 3 and sum(up) == 9"
    until(lambda: swarm.value(up), "the clients to know the six servers", SECONDS)
    every = swarm.node(MANAGER, *_in_network("--entrypoint", "python3"), "-c", RESOLVE).split()
    assert len(every) == 9
    reconcile = ["reconcile", *every, "--during", "3s", "--timeout", "60s", "--json", "-"]
    found = json.loads(swarm.node(MANAGER, *_in_network(), *reconcile))
    assert {each["verdict"] for each in found["quantities"]} == {"agree"}
    assert found["client"]["exchanges"] > 0


def _in_network(*options: str) -> list[str]:
    """Return the docker command that runs a client in the network of the stack."""
    return ["run", "--rm", "--no-healthcheck", "--network", NETWORK, *options, CLIENT]


@contextmanager
def _load(swarm: Cluster, connections: int, *options: str) -> Iterator[dict[str, Any]]:
    """Have a load meanwhile, which has made so many connections; what it reports in the end is in the dictionary."""
    container = _in_network("--name", "load")
    command = ["docker", "exec", swarm.container(MANAGER), "docker", *container, "load", "--target", "server:8080"]
    report: dict[str, Any] = {}
    with subprocess.Popen([*command, *options, "--json", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as load:
        try:
            until(lambda: _connections(swarm) >= connections, "the load")
            yield report
            output, errors = load.communicate(timeout=SECONDS)
        except BaseException:
            swarm.node(MANAGER, "rm", "--force", "load")
            raise
    assert output, errors
    report.update(json.loads(output), log=errors.decode())


def _connections(swarm: Cluster) -> int:
    """Return how many connections to port 8080 the kernel knows that the load made, a minute after their end too."""
    return swarm.node(MANAGER, "exec", "load", "cat", "/proc/net/tcp").count(f":{8080:04X} ")


def _ended(swarm: Cluster, tasks: set[str]) -> bool:
    return not any(
        task["ID"] in tasks and task["Status"]["State"] == "running" for task in swarm.tasks("stentor_server")
    )


def _left(swarm: Cluster) -> str:
    """Return what there is on the nodes besides images and what makes a swarm."""
    kinds = ("container ls --all", "volume ls", "network ls --filter name=stentor")
    found = [swarm.node(node, *kind.split(), "--quiet") for node in NODES for kind in kinds]
    return "".join([*found, swarm.node(MANAGER, "config", "ls", "--quiet")])


def _addresses(swarm: Cluster, service: str, node: str) -> set[str]:
    """Return the addresses of a service's tasks on a node."""
    number = swarm.node(MANAGER, "node", "inspect", "--format", "{{.ID}}", node)
    return {
        address.partition("/")[0]
        for task in swarm.running(service)
        if task["NodeID"] == number
        for attachment in task["NetworksAttachments"]
        for address in attachment["Addresses"]
    }


def _elsewhere(swarm: Cluster, service: str, node: str) -> int:
    """Return how many healthy tasks of a service there are on the other nodes."""
    return sum(len(_addresses(swarm, service, other)) for other in NODES if other != node)
