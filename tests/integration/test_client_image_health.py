"""The health check in the client's image, run here as the image runs it."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lying import LyingServer
from processes import ENVIRONMENT, Probe, Server, run

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile.client"


def _check(probe: Probe, **environment: str) -> tuple[int, bytes]:
    """Run the image's check of a probe."""
    found = re.search(r"^ +CMD (\[.*\])$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    port = str(urlsplit(probe.admin).port)
    checked = run(*json.loads(found[1]), env=ENVIRONMENT | environment | {"STENTOR_ADMIN_PORT": port})
    return checked.returncode, checked.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_healthy(host: str) -> None:
    """A probe whose exchanges are right is healthy wherever it listens.

    Docker passes the proxy variables of its configuration to containers; the check does not ask that proxy.
    """
    with Server() as server, Probe(server.target, "--admin-host", host) as probe:
        probe.reaches("stentor_client_target_up")
        assert _check(probe, STENTOR_ADMIN_HOST=host, http_proxy="http://127.0.0.1:1") == (0, b"")


def test_unhealthy() -> None:
    """A probe whose exchanges fail is not."""
    with LyingServer(lambda connection: connection.close()) as liar, Probe(liar.target) as probe:
        probe.event("exchange.failed")
        code, message = _check(probe)
        assert (code, message.count(b"\n")) == (3, 1)
        assert b"the probe's last exchange failed" in message
