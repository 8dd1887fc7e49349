"""The objects for Kubernetes are valid: by its schemas, or, for its extensions, by what they must have in common."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from manifests import BUILDS, COMPOSE, LOAD, OPERATOR, PLAIN, ROOT, named, objects, pods, ports, selects

OLDEST, NEWEST = "1.30", "1.37"  # docs/how-to/kubernetes.md names the oldest
EXTENSION = "monitoring.coreos.com/v1"  # the operator of Prometheus; its schemas are in no package
PROMETHEUS = ROOT / "observability" / "prometheus"
RULE_FILES = ["expected.yml", *sorted(f"rules/{path.name}" for path in (PROMETHEUS / "rules").glob("*.yml"))]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("build", BUILDS)
def test_objects_are_valid(build: str, version: str) -> None:
    """Every object of Kubernetes itself is valid, and has no field that this version does not know."""
    for each in objects(build):
        if each["apiVersion"] != EXTENSION:
            assert kubernetes_validate.validate(each, version, strict=True) == version


def test_a_misspelled_field_is_not_valid() -> None:
    """The validation is strict."""
    wrong = deepcopy(named(LOAD, "Job", "stentor-load"))
    wrong["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="enableServiceLink"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)


def test_the_operator_gets_the_same_rules() -> None:
    """The PrometheusRule has the groups of the rule files and nothing else, under names that differ."""
    rule = named(OPERATOR, "PrometheusRule", "stentor")
    assert rule["apiVersion"] == EXTENSION
    assert rule["spec"].keys() == {"groups"}
    groups = rule["spec"]["groups"]
    assert _unfolded(groups) == _unfolded([group for file in RULE_FILES for group in _config(file)["groups"]])
    assert len({group["name"] for group in groups}) == len(groups)
    assert {key for group in groups for key in group} <= {"name", "interval", "rules"}
    rules = [each for group in groups for each in group["rules"]]
    assert {key for each in rules for key in each} <= {"alert", "record", "expr", "for", "labels", "annotations"}


def test_the_operator_scrapes_servers_and_clients() -> None:
    """The PodMonitor selects nothing else, by a port that each has, as often and as the jobs of the compose project."""
    monitor = named(OPERATOR, "PodMonitor", "stentor")
    assert monitor["apiVersion"] == EXTENSION
    assert monitor["spec"].keys() == {"selector", "jobLabel", "podMetricsEndpoints"}
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    everyone = {**pods(OPERATOR), **pods(LOAD)}
    scraped = [pod for pod in everyone.values() if selects(monitor["spec"]["selector"], pod)]
    assert {pod["metadata"]["labels"][monitor["spec"]["jobLabel"]] for pod in scraped} == _jobs()
    assert all(endpoint["port"] in ports(pod) for pod in scraped)
    common = _config("prometheus.yml")["global"]
    assert endpoint == {
        "port": "admin",
        "interval": common["scrape_interval"],
        "scrapeTimeout": common["scrape_timeout"],
    }


def test_the_plain_prometheus_is_that_of_compose() -> None:
    """It has the image, options and intervals of the compose project, and finds its configuration and every rule."""
    pod = pods(PLAIN)["prometheus"]
    (container,) = pod["spec"]["containers"]
    assert container["image"] in COMPOSE["services"]["prometheus"]["image"]
    config_flag, *others = container["args"]
    assert others == COMPOSE["services"]["prometheus"]["command"][1:]
    mounted = {
        f"{mount['mountPath']}/{key}"
        for mount in container["volumeMounts"]
        for volume in pod["spec"]["volumes"]
        if volume["name"] == mount["name"] and "configMap" in volume
        for key in named(PLAIN, "ConfigMap", volume["configMap"]["name"])["data"]
    }
    rules = {f"/etc/prometheus/rules/{Path(file).name}" for file in RULE_FILES}
    assert mounted == {config_flag.partition("=")[2], *rules}
    config = _config("kubernetes/prometheus.yml")
    assert config["global"] == _config("prometheus.yml")["global"]
    assert config_flag == "--config.file=/etc/prometheus/kubernetes/prometheus.yml"
    assert config["rule_files"] == ["../rules/*.yml"]


def test_the_plain_prometheus_follows_the_annotations() -> None:
    """Servers and clients, and no others, are annotated with their admin port."""
    everyone = {**pods(PLAIN), **pods(LOAD)}
    annotated = {
        name: pod["metadata"]["annotations"] for name, pod in everyone.items() if "annotations" in pod["metadata"]
    }
    assert annotated == {
        name: {"prometheus.io/scrape": "true", "prometheus.io/port": str(ports(everyone[name])["admin"])}
        for name in _jobs()
    }
    assert all(everyone[name]["metadata"]["labels"]["app.kubernetes.io/name"] == name for name in annotated)


def _config(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))
    return config


def _unfolded(groups: list[dict[str, Any]]) -> str:
    """Return them without their line breaks, which Kustomize sets anew; an expression means the same with any."""
    return re.sub(r"(?:\\n| )+", " ", json.dumps(groups, sort_keys=True))


def _jobs() -> set[str]:
    """Return the jobs of the compose project."""
    return {scrape["job_name"] for scrape in _config("prometheus.yml")["scrape_configs"]}
