"""The stack for Docker Swarm says what the code, the images and the compose project say."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from manifests import COMPOSE, ROOT, dockerfile, options
from stentor_chassis.options.quantities import Duration
from stentor_client.probe.run import RESOLVE_SECONDS

FOLDER = ROOT / "deploy" / "swarm"
STACK = yaml.safe_load((FOLDER / "stack.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = STACK["services"]
PROMETHEUS = ROOT / "observability" / "prometheus"
DIFFERENT = {"STENTOR_TARGET", "STENTOR_RESOLVE", "STENTOR_ADMIN_NAME", "STENTOR_SHUTDOWN_DELAY"}
_each_pair = pytest.mark.parametrize("name", ["server", "client"])
_each_service = pytest.mark.parametrize("name", SERVICES)


def _default(text: str) -> str:
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", text)


def _options(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the values of all options of a service."""
    service = SERVICES[name]
    variables = [{"name": key, "value": value} for key, value in service["environment"].items()]
    container = {"image": _default(service["image"]), "args": service.get("command", ["serve"]), "env": variables}
    pod = {"spec": {"containers": [container]}}
    given = options(pod, monkeypatch)
    exposed = re.search(r"^EXPOSE (.*)$", dockerfile(pod), re.MULTILINE)
    assert exposed
    assert exposed[1].split() == [str(given[key]) for key in ("port", "admin_port") if key in given]
    return given


@_each_pair
def test_options(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are options, ports are those of the image, and clients find all servers by their port."""
    given = _options(name, monkeypatch)
    assert SERVICES[name]["environment"]["STENTOR_ADMIN_NAME"] == f"{name},tasks.{name}"
    if name == "client":
        assert str(given["target"]) == f"tasks.server:{_options('server', monkeypatch)['port']}"
        assert given["resolve"] == "all"


@_each_pair
def test_tls(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What TLS adds are options too, and every file that they name is mounted."""
    added = yaml.safe_load((FOLDER / "tls.yml").read_text(encoding="utf-8"))["services"][name]
    for key, value in added["environment"].items():
        monkeypatch.setitem(SERVICES[name]["environment"], key, value)
    given = _options(name, monkeypatch)
    mounted = {mount["target"] for mount in added.get("configs", ())}
    mounted |= {f"/run/secrets/{mount['source']}" for mount in added.get("secrets", ())}
    assert {value for value in added["environment"].values() if "/" in value} == mounted
    assert given.get("tls", True)


@_each_service
def test_as_in_compose(name: str) -> None:
    """Image, variables, limits and confinement are those of the compose project."""
    service, compose = SERVICES[name], COMPOSE["services"][name]
    assert _default(service["image"]).removesuffix(":latest") == _default(compose["image"])
    limits = service["deploy"]["resources"]["limits"]
    assert limits == {"memory": compose["mem_limit"].upper(), "pids": compose["pids_limit"]}
    for key in ("read_only", "cap_drop", "logging"):
        assert service[key] == compose[key]
    there = {key: _default(value) for key, value in compose.get("environment", {}).items()}
    assert {key for key, _ in there.items() ^ service.get("environment", {}).items()} <= DIFFERENT


@_each_service
def test_updates(name: str) -> None:
    """A healthy task replaces each, or is taken back; a port of the node must be free first."""
    deploy = SERVICES[name]["deploy"]
    order = "stop-first" if "ports" in SERVICES[name] else "start-first"
    assert deploy["endpoint_mode"] == "dnsrr"
    assert (deploy["update_config"]["order"], deploy["rollback_config"]["order"]) == (order, order)
    assert deploy["update_config"]["failure_action"] == "rollback"
    assert all(port["mode"] == "host" for port in SERVICES[name].get("ports", ()))


@_each_pair
def test_time_to_leave(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the delay, a task has the time that the compose project allows; clients notice within the delay."""
    given = _options(name, monkeypatch)
    grace, allowed = (
        Duration().convert(each[name]["stop_grace_period"], None, None) for each in (SERVICES, COMPOSE["services"])
    )
    delay = given.get("shutdown_delay_seconds", 0)
    assert grace >= delay + allowed
    assert name == "client" or delay > RESOLVE_SECONDS


def test_prometheus() -> None:
    """It runs as in the compose project, has every rule, and scrapes the tasks by the names of the services."""
    service, compose = SERVICES["prometheus"], COMPOSE["services"]["prometheus"]
    config = yaml.safe_load((PROMETHEUS / "swarm" / "prometheus.yml").read_text(encoding="utf-8"))
    expected = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    for job in expected["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        found["names"] = [f"tasks.{name}" for name in found["names"]]
    expected["rule_files"] = [f"../{name}" for name in expected["rule_files"]]
    assert config == expected
    assert service["command"] == ["--config.file=/etc/prometheus/swarm/prometheus.yml", *compose["command"][1:]]
    assert service["healthcheck"].keys() == compose["healthcheck"].keys()
    assert service["healthcheck"]["test"] == compose["healthcheck"]["test"]
    mounted = {mount["target"]: STACK["configs"][mount["source"]] for mount in service["configs"]}
    rules = [PROMETHEUS / "expected.yml", *PROMETHEUS.glob("rules/*.yml")]
    files = [PROMETHEUS / "swarm" / "prometheus.yml", *rules]
    assert {target: (FOLDER / each["file"]).resolve() for target, each in mounted.items()} == {
        f"/etc/prometheus/{file.relative_to(PROMETHEUS)}": file for file in files
    }
    assert all(each["name"].endswith("-${CONFIG_DIGEST:-0}") for each in mounted.values())
    assert len({each["name"] for each in STACK["configs"].values()}) == len(files)


@pytest.mark.parametrize("command", ["up", "down"])
@pytest.mark.parametrize(
    ("state", "message"),
    [("inactive false", "docker swarm init"), ("active false", "on a manager"), (" false", "no Docker engine answers")],
)
def test_no_swarm_to_deploy_on(command: str, state: str, message: str, tmp_path: Path) -> None:
    """Unless the engine manages a swarm, one line says what to do, and nothing is done."""
    engine = tmp_path / "docker"
    engine.write_text(f'#!/bin/sh\n[ "$1" = info ] && echo "{state}" || touch {tmp_path}/called\n', encoding="utf-8")
    engine.chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "swarm", command],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert message in done.stderr
    assert not (tmp_path / "called").exists()
