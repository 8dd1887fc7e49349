"""The health check in the client's image, run here as the image runs it."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from processes import Probe, Server

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile.client"


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker passes the proxy variables of its configuration to containers; the check does not ask that proxy."""
    found = re.search(r"^ +CMD (\[.*\])$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    program, *arguments = json.loads(found[1])
    assert program == "python"
    with Server() as server, Probe(server.target) as probe:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("STENTOR_ADMIN_PORT", str(urlsplit(probe.admin).port))
        checked = subprocess.run([sys.executable, *arguments], capture_output=True, timeout=60, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
