"""The objects for Kubernetes say what the code, the images and the compose project say."""

import re
from typing import Any

import pytest

from manifests import (
    BUILDS,
    COMPOSE,
    GROUPS,
    LOAD,
    OPERATOR,
    PLAIN,
    dockerfile,
    named,
    objects,
    options,
    pods,
    ports,
    selects,
)
from stentor_chassis.options.quantities import Duration
from stentor_client.probe.run import RESOLVE_SECONDS
from stentor_server import __version__

SERVICES = {"stentor-server": "server", "stentor-client": "client"}  # workloads that run on, and their names in compose
_each_build = pytest.mark.parametrize("build", BUILDS)
_each_pod = pytest.mark.parametrize("name", [*SERVICES, "stentor-load"])
_each_service = pytest.mark.parametrize("name", SERVICES)


def _pod(name: str) -> dict[str, Any]:
    return {**pods(OPERATOR), **pods(LOAD)}[name]


@_each_pod
def test_image(name: str) -> None:
    """Image and labels have the version of the packages, and the user is the image's."""
    pod = _pod(name)
    (container,) = pod["spec"]["containers"]
    assert container["image"] in {f"{image}:{__version__}" for image in GROUPS}
    assert pod["metadata"]["labels"]["app.kubernetes.io/version"] == __version__
    context = pod["spec"]["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}\n" in dockerfile(pod)


@_each_service
def test_ports(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ports are those that the options say, that the image exposes, and that policies let in."""
    pod = _pod(name)
    given = options(pod, monkeypatch)
    assert ports(pod) == {
        port: given[key] for port, key in (("exchange", "port"), ("admin", "admin_port")) if key in given
    }
    exposed = re.search(r"^EXPOSE (.*)$", dockerfile(pod), re.MULTILINE)
    assert exposed
    assert exposed[1].split() == [str(port) for port in ports(pod).values()]
    policy = named(OPERATOR, "NetworkPolicy", name)["spec"]
    assert [port["port"] for rule in policy["ingress"] for port in rule["ports"]] == [*ports(pod).values()]
    assert given["admin_host"] == "0.0.0.0"


@_each_pod
def test_target(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments and variables are options, and a client's target is a Service that its policy lets it reach."""
    pod = _pod(name)
    given = options(pod, monkeypatch)
    if "target" not in given:
        return
    host, _, port = str(given["target"]).partition(":")
    service = named(OPERATOR, "Service", host)["spec"]
    server = _pod("stentor-server")
    assert selects({"matchLabels": service["selector"]}, server)
    assert {each["targetPort"]: each["port"] for each in service["ports"]}.items() <= ports(server).items()
    assert int(port) == ports(server)["exchange"]
    policy = named(OPERATOR, "NetworkPolicy", "stentor-client")["spec"]
    assert selects(policy["podSelector"], pod)
    to_server = policy["egress"][0]
    assert selects(to_server["to"][0]["podSelector"], server)
    assert [each["port"] for each in to_server["ports"]] == [*ports(server).values()]


@_each_service
def test_limits(name: str) -> None:
    """Memory, and what it has to hold, are as in the compose project."""
    compose = COMPOSE["services"][SERVICES[name]]
    (container,) = _pod(name)["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": compose["mem_limit"].upper() + "i"}
    there = {key: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for key, value in compose["environment"].items()}
    here = {each["name"]: each["value"] for each in container["env"]}
    of_the_network = {"STENTOR_TARGET", "STENTOR_ADMIN_NAME", "STENTOR_RESOLVE", "STENTOR_SHUTDOWN_DELAY"}
    assert there.keys() ^ here.keys() <= of_the_network
    assert {key for key in there.keys() & here.keys() if there[key] != here[key]} <= of_the_network


@_each_service
def test_time_to_leave(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the delay, a pod has the time that the compose project allows, which is more than a drain takes."""
    given = options(_pod(name), monkeypatch)
    delay = given.get("shutdown_delay_seconds", 0)
    allowed = Duration().convert(COMPOSE["services"][SERVICES[name]]["stop_grace_period"], None, None)
    if name == "stentor-server":
        assert delay >= RESOLVE_SECONDS + 5  # and the resolvers of a cluster keep an answer for 5 s
    assert _pod(name)["spec"]["terminationGracePeriodSeconds"] >= delay + allowed
    assert allowed > given.get("drain_timeout_seconds", 8)


@_each_service
def test_probes(name: str) -> None:
    """The kubelet asks the admin port for liveness and readiness."""
    (container,) = _pod(name)["spec"]["containers"]
    for kind, path in (("liveness", "/healthz"), ("readiness", "/readyz")):
        assert container[f"{kind}Probe"]["httpGet"] == {"path": path, "port": "admin"}


@pytest.mark.parametrize(
    ("build", "name"),
    [(PLAIN, "stentor-server"), (PLAIN, "stentor-client"), (PLAIN, "prometheus"), (LOAD, "stentor-load")],
)
def test_pod_security(build: str, name: str) -> None:
    """Each pod meets the restricted profile of the Pod Security Standards, which the namespace enforces."""
    spec = pods(build)[name]["spec"]
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"}
    assert spec["securityContext"].keys() == {"runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all(volume.keys() - {"name"} <= {"configMap", "emptyDir"} for volume in spec.get("volumes", ()))
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not any("hostPort" in port for port in container.get("ports", ()))
    assert spec["enableServiceLinks"] is False
    enforced = named(PLAIN, "Namespace", "stentor")["metadata"]["labels"]
    assert enforced["pod-security.kubernetes.io/enforce"] == "restricted"


@_each_build
def test_objects_belong_together(build: str) -> None:
    """Every object is in the namespace; selectors select a pod, and references lead to an object."""
    for each in objects(build):
        spec = each.get("spec", {})
        assert each["kind"] == "Namespace" or each["metadata"]["namespace"] == "stentor"
        if "template" in spec and "selector" in spec:
            assert selects(spec["selector"], spec["template"])
            spread = spec["template"]["spec"].get("topologySpreadConstraints", ())
            assert all(selects(constraint["labelSelector"], spec["template"]) for constraint in spread)
        elif each["kind"] == "Service":
            assert any(selects({"matchLabels": spec["selector"]}, pod) for pod in pods(build).values())
        elif selector := spec.get("selector") or spec.get("podSelector"):
            assert any(selects(selector, pod) for pod in pods(build).values())
        references = [spec.get("scaleTargetRef"), each.get("roleRef"), *each.get("subjects", ())]
        for reference in filter(None, references):
            found = named(build, reference["kind"], reference["name"])
            assert reference.get("namespace", "stentor") == found["metadata"]["namespace"]
    accounts = [pod["spec"].get("serviceAccountName") for pod in pods(build).values()]
    assert all(named(build, "ServiceAccount", account) for account in accounts if account)
