"""`stentor-client trace` against a real server."""

import json
from pathlib import Path

import pytest

from certificates import Authority
from processes import Server, run
from terminal import Terminal


@pytest.mark.parametrize("columns", [80, 140])
def test_on_a_terminal(shared_server: Server, columns: int) -> None:
    """On a terminal the waterfall has colours, and is no wider than the terminal."""
    with Terminal("stentor-client", "trace", "--target", shared_server.target, columns=columns) as terminal:
        code, shown = terminal.end()
        assert b"\x1b[32m" in terminal.shown
    assert (code, "ok: 5 bytes came back, all correct" in shown) == (0, True)
    assert max(map(len, shown.splitlines())) <= columns


def test_without_colours(shared_server: Server) -> None:
    """Where no colours are wanted there are none."""
    environment = {"NO_COLOR": "1"}
    with Terminal("stentor-client", "trace", "--target", shared_server.target, environment=environment) as terminal:
        assert terminal.end()[0] == 0
        assert b"\x1b[3" not in terminal.shown


def test_mutual_tls(authority: Authority) -> None:
    """With certificates on both sides there is a handshake more; without the client's TLS 1.3 refuses it after that."""
    tls = ("--tls", "--tls-ca", authority.file, "--json", "-")
    served = ("--tls-cert", authority.issue("server"), "--tls-client-ca", authority.file)
    with Server("--workers", "1", *served) as server:
        mutual = run(
            *("stentor-client", "trace", "--target", server.target, *tls),
            *("--tls-cert", authority.issue("client", "somebody")),
        )
        bare = run("stentor-client", "trace", "--target", server.target, *tls)
        assert [each["received_bytes"] for each in server.closed("eof")] == [5]
    facts = json.loads(mutual.stdout)
    assert [phase["phase"] for phase in facts["phases"]][1:3] == ["connect", "tls"]
    assert (mutual.returncode, facts["tls"]["names"]) == (0, ["127.0.0.1"])
    refused = json.loads(bare.stdout)
    assert (bare.returncode, refused["outcome"], refused["phases"][-1]["phase"]) == (3, "tls", "first_byte")


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket can be traced as well."""
    path = tmp_path / "stentor.sock"
    with Server("--workers", "1", "--unix", str(path)):
        traced = run("stentor-client", "trace", "--target", f"unix:{path}")
    assert (traced.returncode, "connected within the kernel" in traced.stdout.decode()) == (0, True)
