"""`stentor-client check` over real paths."""

import json
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from processes import Server, run
from proxies import HAProxy, Nginx
from terminal import Terminal


def checked(target: str, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and the checks that did not pass, by name."""
    ended = run("stentor-client", "check", "--target", target, "--largest", "1MiB", "--json", "-", *options)
    assert ended.stderr == b""
    return ended.returncode, {
        each["name"]: each for each in json.loads(ended.stdout)["checks"] if each["status"] != "pass"
    }


def test_server(server: Server) -> None:
    """The server itself passes everything, and nothing is left behind; only one address is not worth a check."""
    code, others = checked(server.target, "--idle", "1s")
    assert (code, {name: each["status"] for name, each in others.items()}) == (0, {"addresses": "skip"})
    assert server.quiet()['stentor_server_connections_closed_total{reason="reset"}'] == 0


@pytest.mark.parametrize("kind", [HAProxy, Nginx])
def test_proxies(tmp_path: Path, shared_server: Server, kind: type[HAProxy | Nginx]) -> None:
    """A real proxy that is set up well passes."""
    with kind(tmp_path, shared_server.target) as proxy:
        code, others = checked(proxy.target, "--idle", "1s")
    assert (code, [*others]) == (0, ["addresses"])


def test_nginx_that_breaks_half_close(tmp_path: Path, shared_server: Server) -> None:
    """nginx with its defaults ends both directions at the first FIN, and only that is found."""

    class Default(Nginx):
        half_close = "off"

    with Default(tmp_path, shared_server.target) as proxy:
        code, others = checked(proxy.target, "--idle", "0")
    assert [*others] == ["half-close", "addresses"]
    assert code in {4, 5}
    assert others["half-close"]["outcome"] in {"eof", "short", "reset"}
    assert "proxy_half_close" in others["half-close"]["usual_cause"]


def test_tls(authority: Authority) -> None:
    """Over TLS all passes, except what TLS lacks; without trust nothing connects."""
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server:
        code, others = checked(server.target, "--idle", "0", "--tls", "--tls-ca", authority.file)
        skipped = {name: each["status"] for name, each in others.items()}
        assert (code, skipped) == (0, {"half-close": "skip", "addresses": "skip"})
        code, others = checked(server.target, "--idle", "0", "--tls")
        assert (code, others["connect"]["outcome"], others["connect"]["phase"]) == (3, "tls", "tls")


def test_unix_socket_on_a_terminal(tmp_path: Path) -> None:
    """A Unix socket passes; on a terminal the results are coloured, and what is being tried is shown."""
    path = tmp_path / "stentor.sock"
    command = ("stentor-client", "check", "--target", f"unix:{path}", "--idle", "500ms", "--largest", "1MiB")
    with Server("--unix", str(path)), Terminal(*command, columns=100) as terminal:
        code, shown = terminal.end()
    assert code == 0
    assert b"\x1b[32mpass" in terminal.shown
    assert "9 passed, 1 skipped" in shown
