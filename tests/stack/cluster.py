"""Machines for a swarm, on one machine: privileged containers, each with an engine of its own."""

import json
import secrets
import subprocess
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from exposition import OPENER
from stack.compose import ENVIRONMENT, ROOT
from waiting import until

MANAGER = "manager"
NODES = (MANAGER, "worker-1", "worker-2")
PULLED = "docker:28.5-dind"  # if it can be
PACKAGES = "docker.io,docker-cli,iptables,iproute2,ca-certificates,kmod"
SECONDS = 180.0  # nothing that a test waits for takes this long, on a busy machine either


def run(*command: str, environment: Mapping[str, str] = ENVIRONMENT) -> str:
    """Run a command in the root of the project; return its output, and fail with its messages."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.strip()


class Cluster:
    """A swarm of NODES, with images loaded into each; all that it made on this machine has its name."""

    def __init__(self, folder: Path, images: Sequence[str]) -> None:
        """Start the nodes; `folder` gets the manager's socket, and an archive of the images."""
        self.name = f"stentor-test-{secrets.token_hex(4)}"
        self._image = f"localhost/stentor-standin-docker:{self.name}"
        self.environment = {**ENVIRONMENT, "DOCKER_HOST": f"unix://{folder}/docker.sock"}
        try:
            if subprocess.run(["docker", "pull", "--quiet", PULLED], capture_output=True, check=False).returncode == 0:
                run("docker", "tag", PULLED, self._image)
            else:
                run("scripts/base-images", "bootstrap", self._image, PACKAGES)
            run("docker", "save", "--output", f"{folder}/images.tar", *images)
            run("docker", "network", "create", self.name)
            for node in NODES:
                self._create(node, folder)
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._prepare, NODES))
            self.node(MANAGER, "swarm", "init", "--advertise-addr", "eth0")
            token = self.node(MANAGER, "swarm", "join-token", "--quiet", "worker")
            for node in NODES[1:]:
                self.node(node, "swarm", "join", "--token", token, f"{self.address}:2377")
        except BaseException:
            self.remove()
            raise

    def _create(self, node: str, folder: Path) -> None:
        """Start a node, whose engine also listens on a socket in this folder if it is the manager."""
        sockets = ["--host=unix:///var/run/docker.sock", "--host=unix:///folder/docker.sock"]
        name = ["--name", self.container(node), "--hostname", node, "--network", self.name, "--init"]
        mounts = ["--volume", "/var/lib/docker", "--volume", f"{folder}:/folder", "--tmpfs", "/run"]
        engine = ["dockerd", *sockets[: 2 if node == MANAGER else 1]]
        run("docker", "run", "--detach", "--privileged", "--label", self.name, *name, *mounts, self._image, *engine)

    def _prepare(self, node: str) -> None:
        """Wait for a node's engine, and load the images into it."""
        until(lambda: self.node(node, "version"), f"an engine on {node}", SECONDS)
        self.node(node, "load", "--quiet", "--input", "/folder/images.tar")

    def remove(self) -> None:
        """Remove all that was made on this machine."""
        for node in NODES:
            subprocess.run(
                ["docker", "rm", "--force", "--volumes", self.container(node)], capture_output=True, check=False
            )
        subprocess.run(["docker", "network", "rm", self.name], capture_output=True, check=False)
        subprocess.run(["docker", "rmi", self._image], capture_output=True, check=False)
        for kind in ("ps --all", "volume ls", "network ls", "images"):
            left = run("docker", *kind.split(), "--format", "{{json .}}")
            assert self.name not in left

    def container(self, node: str) -> str:
        """Return the name of a node's container."""
        return f"{self.name}-{node}"

    def node(self, node: str, *arguments: str) -> str:
        """Run a docker command on a node."""
        return run("docker", "exec", self.container(node), "docker", *arguments)

    def cut(self, node: str) -> None:
        """Take a node from the network without a word to anyone, and kill it."""
        run("docker", "exec", self.container(node), "ip", "link", "set", "eth0", "down")
        run("docker", "kill", self.container(node))

    def mend(self, node: str) -> None:
        """Start a node again, and wait until it is back in the swarm."""
        run("docker", "start", self.container(node))
        state = ("node", "inspect", "--format", "{{.Status.State}}", node)
        until(lambda: self.node(MANAGER, *state) == "ready", f"{node} to be back", SECONDS)

    @property
    def address(self) -> str:
        """Return the manager's address."""
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return run("docker", "inspect", "--format", form, self.container(MANAGER))

    def tasks(self, service: str) -> list[dict[str, Any]]:
        """Return all tasks of a service that Swarm knows, those that have ended included."""
        found = self.node(MANAGER, "service", "ps", "--quiet", "--no-trunc", service).split()
        return list(json.loads(self.node(MANAGER, "inspect", "--type", "task", *found))) if found else []

    def running(self, service: str) -> list[dict[str, Any]]:
        """Return the tasks that run, are healthy, and are to go on."""
        return [
            task
            for task in self.tasks(service)
            if task["Status"]["State"] == "running" and task["DesiredState"] == "running"
        ]

    def scale(self, **replicas: int) -> None:
        """Scale services, and wait until all their tasks are healthy."""
        wanted = [f"stentor_{service}={number}" for service, number in replicas.items()]
        self.node(MANAGER, "service", "scale", "--detach", *wanted)
        until(
            lambda: all(len(self.running(f"stentor_{service}")) == number for service, number in replicas.items()),
            f"{replicas}",
            SECONDS,
        )

    def value(self, query: str) -> float | None:
        """Return the value of the one series that a query of the Prometheus on the manager finds, if any."""
        url = f"http://{self.address}:9090/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with OPENER.open(url, timeout=10) as response:
            result = json.load(response)["data"]["result"]
        return float(result[0]["value"][1]) if result else None
