"""What the images are, and how the compose file runs them."""

import json
from typing import Any

import pytest

from stack.compose import Stack
from waiting import until

pytestmark = pytest.mark.timeout(600)

SERVICES = ("server", "client")


@pytest.mark.parametrize("service", SERVICES)
def test_image_says_what_it_is(built_stack: Stack, service: str) -> None:
    """An image has a user without rights, OCI labels, and a health check."""
    attributes = built_stack.docker.images.get(f"stentor-{service}").attrs["Config"]
    assert attributes["User"] == "65532:65532"
    assert attributes["Labels"]["org.opencontainers.image.title"] == f"stentor-{service}"
    assert attributes["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert attributes["Healthcheck"]["Test"][:2] == ["CMD", f"stentor-{service}"]


@pytest.mark.parametrize("service", SERVICES)
def test_image_holds_nothing_to_build_or_fetch_with(built_stack: Stack, service: str) -> None:
    """There is no compiler and no curl in an image, and what was installed is only what runs."""
    find = "for name in gcc cc curl wget; do command -v $name; done; ls /opt/stentor/lib/python3.*/site-packages"
    listing = built_stack.docker.containers.run(
        f"stentor-{service}", ["-c", find], entrypoint="sh", remove=True, network_mode="none"
    )
    names = listing.decode().split()
    assert [name for name in names if name.startswith("/")] == []
    assert {f"stentor_{service}", "stentor_chassis"} <= set(names)
    other = "client" if service == "server" else "server"
    assert not {f"stentor_{other}", "pytest", "pip", "flit_core"} & set(names)


def test_server_runs_as_anybody(built_stack: Stack) -> None:
    """With any user id, a read-only root and no capabilities, the server starts, serves and is healthy."""
    container = built_stack.docker.containers.run(
        "stentor-server",
        detach=True,
        user="12345:54321",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        network_mode="none",
    )
    try:
        until(lambda: b'"server.ready"' in container.logs(), "the server to be ready")
        code, output = container.exec_run(["stentor-server", "health"])
        assert (code, output) == (0, b"")
        container.stop(timeout=12)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    finally:
        container.remove(force=True)


@pytest.mark.parametrize("service", [*SERVICES, "prometheus"])
def test_containers_are_confined(built_stack: Stack, service: str) -> None:
    """Containers have a read-only root, no capabilities, no new privileges, and limits of memory and processes."""
    (container, *_) = built_stack.containers(service) or _stopped(built_stack, service)
    host: dict[str, Any] = container.attrs["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert 0 < host["Memory"] <= 1 << 30
    assert 0 < host["PidsLimit"] <= 1024


def test_only_the_exchange_port_is_open_to_others() -> None:
    """As the compose file stands, the admin endpoints and Prometheus are published on loopback only."""
    stack = Stack(file="")
    stack.docker.close()
    plain = json.loads(stack.compose("config", "--format", "json"))
    published = {
        (service, port["target"]): port.get("host_ip")
        for service, declared in plain["services"].items()
        for port in declared["ports"]
    }
    assert published == {
        ("server", 8080): None,
        ("server", 8081): "127.0.0.1",
        ("client", 8082): "127.0.0.1",
        ("prometheus", 9090): "127.0.0.1",
    }
    assert [name for name, declared in plain["services"].items() if "container_name" in declared] == []


def _stopped(stack: Stack, service: str) -> list[Any]:
    labels = [f"com.docker.compose.project={stack.project}", f"com.docker.compose.service={service}"]
    return list(stack.docker.containers.list(all=True, filters={"label": labels}))
