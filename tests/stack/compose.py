"""The compose project under a name of its own, seen through the docker SDK."""

import json
import os
import secrets
import socket
import subprocess
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import docker
from docker.models.containers import Container

from connections import answer_to
from exposition import OPENER, Samples, scrape
from waiting import until

ROOT = Path(__file__).parents[2]
TEST_FILE = "tests/stack/docker-compose.test.yml"
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith(("STENTOR_", "COMPOSE_"))}


def _engine() -> str:
    """Return the engine that the command line talks to: with contexts, that is not always the default socket."""
    ask = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    return subprocess.run(ask, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout.strip()


class Stack:
    """One project: its containers by service, their ports, logs and metrics."""

    def __init__(self, file: str = TEST_FILE, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        """Draw a name; nothing runs yet. `file`, if any, goes on top of docker-compose.yml, with this `environment`."""
        self.environment = {**ENVIRONMENT, **environment}
        self._file = file
        self.project = f"stentor-test-{secrets.token_hex(4)}"
        self.docker = docker.from_env(use_context=False, environment={"DOCKER_HOST": _engine(), **ENVIRONMENT})

    def compose(self, *arguments: str) -> str:
        """Run a compose command; return its output, and fail with its messages."""
        files = ("--file", "docker-compose.yml", *(("--file", self._file) if self._file else ()))
        done = subprocess.run(
            ["docker", "compose", *files, "--project-name", self.project, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self, *arguments: str) -> None:
        """Bring everything up, and wait until it is healthy."""
        self.compose("up", "--detach", "--wait", "--wait-timeout", "120", *arguments)

    def down(self) -> None:
        """Take everything down, and be sure that nothing is left."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "15")
        left = self.docker.containers.list(all=True, filters={"label": f"com.docker.compose.project={self.project}"})
        self.docker.close()
        assert left == []

    def containers(self, service: str) -> list[Container]:
        """Return the running containers of a service."""
        labels = [f"com.docker.compose.project={self.project}", f"com.docker.compose.service={service}"]
        return self.docker.containers.list(filters={"label": labels})

    def container(self, service: str) -> Container:
        """Return the one running container of a service."""
        (container,) = self.containers(service)
        return container

    def address(self, service: str, port: int) -> tuple[str, int]:
        """Return where a port of a service is published."""
        container = self.container(service)
        container.reload()
        bindings = container.ports[f"{port}/tcp"]
        assert bindings is not None
        (binding,) = bindings
        return binding["HostIp"], int(binding["HostPort"])

    def url(self, service: str, port: int) -> str:
        """Return the base URL of a published HTTP port."""
        host, number = self.address(service, port)
        return f"http://{host}:{number}"

    def server_metrics(self) -> Samples:
        """Scrape the server."""
        return scrape(self.url("server", 8081))

    def client_metrics(self) -> Samples:
        """Scrape the client."""
        return scrape(self.url("client", 8082))

    def server_status(self) -> dict[str, Any]:
        """Return what the server's `/status` says."""
        with OPENER.open(f"{self.url('server', 8081)}/status", timeout=10) as response:
            found: dict[str, Any] = json.load(response)
            return found

    def events(self, service: str, name: str = "") -> list[dict[str, Any]]:
        """Return what a service has logged, all of it or the events of one name."""
        lines = self.container(service).logs().splitlines()
        events = [json.loads(line) for line in lines]
        return [event for event in events if not name or event["event"] == name]

    def ask(self, data: bytes) -> bytes:
        """Exchange with the server through its published port."""
        with socket.create_connection(self.address("server", 8080), 30) as connection:
            return answer_to(connection, data)

    def prometheus(self, path: str, **parameters: str) -> Any:
        """Return the data of a call to Prometheus's HTTP interface."""
        query = urllib.parse.urlencode(parameters)
        with OPENER.open(f"{self.url('prometheus', 9090)}/api/v1/{path}?{query}", timeout=10) as response:
            return json.load(response)["data"]

    def value(self, query: str) -> float | None:
        """Return the value of the one series that a query of Prometheus finds, if any."""
        result = self.prometheus("query", query=query)["result"]
        return float(result[0]["value"][1]) if result else None

    def exchanges_go_on(self) -> None:
        """Wait until the client has made two good exchanges more than now."""
        good = 'stentor_client_exchanges_total{outcome="ok"}'
        before = until(self.client_metrics, "the client's metrics")[good]
        until(lambda: self.client_metrics()[good] >= before + 2, "exchanges to go on", 60)
