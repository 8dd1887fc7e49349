"""`stentor-client trace` against a real server."""

import json
from pathlib import Path

from certificates import Authority
from processes import Server, run
from terminal import Terminal


def test_on_a_terminal(tmp_path: Path) -> None:
    """On a terminal the waterfall, of a Unix socket as well, has colours if wanted, and no line is too wide."""
    path = tmp_path / "stentor.sock"
    command = ("stentor-client", "trace", "--target")
    with Server("--workers", "1", "--unix", str(path)) as server:
        with Terminal(*command, server.target, columns=90) as terminal:
            code, shown = terminal.end()
            assert b"\x1b[32m" in terminal.shown
        assert (code, "ok: " in shown) == (0, True)
        assert max(map(len, shown.splitlines())) <= 90
        with Terminal(*command, f"unix:{path}", environment={"NO_COLOR": "1"}) as terminal:
            assert terminal.end()[0] == 0
            assert b"\x1b[3" not in terminal.shown


def test_mutual_tls(authority: Authority) -> None:
    """With certificates on both sides there is a handshake more; without the client's TLS 1.3 refuses it after that."""
    tls = ("--tls", "--tls-ca", authority.file, "--json", "-")
    served = ("--tls-cert", authority.issue("server"), "--tls-client-ca", authority.file)
    with Server("--workers", "1", *served) as server:
        certificate = ("--tls-cert", authority.issue("client", "somebody"))
        mutual = run("stentor-client", "trace", "--target", server.target, *tls, *certificate)
        bare = run("stentor-client", "trace", "--target", server.target, *tls)
        assert [each["received_bytes"] for each in server.closed("eof")] == [5]
    facts = json.loads(mutual.stdout)
    assert [phase["phase"] for phase in facts["phases"]][1:3] == ["connect", "tls"]
    assert (mutual.returncode, facts["tls"]["names"]) == (0, ["127.0.0.1"])
    refused = json.loads(bare.stdout)
    assert (bare.returncode, refused["outcome"], refused["phases"][-1]["phase"]) == (3, "tls", "first_byte")
