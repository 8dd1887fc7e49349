"""The objects for Kubernetes, as kubectl builds them, and what their containers would do with their options."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from stentor_client.__main__ import cli as client
from stentor_server.__main__ import cli as server

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
BUILDS = ("overlays/operator", "overlays/plain", "load")  # the base is in both overlays
OPERATOR, PLAIN, LOAD = BUILDS
GROUPS = {"stentor-server": server, "stentor-client": client}


@cache
def objects(build: str) -> list[dict[str, Any]]:
    """Return what `kubectl apply` would send."""
    command = [str(Path(sys.executable).parent / "kubectl"), "kustomize", str(ROOT / "deploy" / "kubernetes" / build)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def named(build: str, kind: str, name: str) -> dict[str, Any]:
    """Return an object."""
    found = [each for each in objects(build) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1
    return found[0]


def pods(build: str) -> dict[str, dict[str, Any]]:
    """Return the pod templates by the name of their workload."""
    workloads = [each for each in objects(build) if "template" in each.get("spec", ())]
    return {each["metadata"]["name"]: each["spec"]["template"] for each in workloads}


def ports(pod: dict[str, Any]) -> dict[str, int]:
    """Return the ports of a pod's container by name."""
    (container,) = pod["spec"]["containers"]
    return {each["name"]: each["containerPort"] for each in container.get("ports", ())}


def dockerfile(pod: dict[str, Any]) -> str:
    """Return the Dockerfile of a pod's image."""
    (container,) = pod["spec"]["containers"]
    service = re.fullmatch(r"stentor-(\w+):.*", container["image"])
    assert service
    return (ROOT / f"Dockerfile.{service[1]}").read_text(encoding="utf-8")


def options(pod: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the values of all options in a pod's container; fails if its arguments and variables are not options."""
    (container,) = pod["spec"]["containers"]
    set_here = {each["name"]: each["value"] for each in container["env"]}
    for name, value in {**dict(re.findall(r"(STENTOR_\w+)=(\S+)", dockerfile(pod))), **set_here}.items():
        monkeypatch.setenv(name, value)
    group = GROUPS[container["image"].partition(":")[0]]
    name, *arguments = container["args"]
    command = group.get_command(click.Context(group), name)
    assert command is not None
    assert set_here.keys() <= {str(option.envvar) for option in command.params if isinstance(option, click.Option)}
    with click.Context(group) as parent, command.make_context(name, arguments, parent) as context:
        return context.params


def selects(selector: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Return whether a selector selects a pod by its labels."""
    labels: dict[str, str] = pod["metadata"]["labels"]
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    assert all(each["operator"] == "In" for each in selector.get("matchExpressions", ()))
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ())
    )
