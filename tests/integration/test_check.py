"""`stentor-client check` over real paths."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from certificates import Authority
from processes import Server, run, running
from proxies import Envoy, HAProxy, Nginx, Proxy
from terminal import Terminal

BRIEF = ("--largest", "1MiB", "--json", "-")


def checked(target: str, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and the checks that did not pass, by name."""
    ended = run("stentor-client", "check", "--target", target, *BRIEF, *options)
    assert ended.stderr == b""
    return ended.returncode, {
        each["name"]: each for each in json.loads(ended.stdout)["checks"] if each["status"] != "pass"
    }


def test_server(server: Server) -> None:
    """The server itself passes everything, and nothing is left behind; only one address is not worth a check."""
    code, others = checked(server.target, "--idle", "1s")
    assert (code, {name: each["status"] for name, each in others.items()}) == (0, {"addresses": "skip"})
    assert server.quiet()['stentor_server_connections_closed_total{reason="reset"}'] == 0


@pytest.mark.parametrize("kind", [HAProxy, Nginx, Envoy])
def test_proxies(tmp_path: Path, shared_server: Server, kind: type[Proxy]) -> None:
    """A real proxy that is set up well passes."""
    with kind(tmp_path, shared_server.target) as proxy:
        code, others = checked(proxy.target, "--idle", "1s")
    assert (code, [*others]) == (0, ["addresses"])


@pytest.mark.parametrize(
    ("kind", "options", "lines", "failing", "detail", "cause"),
    [
        (HAProxy, "", "timeout server-fin 1ms", "half-close", "then FIN: ", "server-fin"),
        (HAProxy, "", "option nolinger", "half-close", "64 B, then FIN: reset: ", "nolinger"),
        (HAProxy, "", "timeout client 1s", "half-close", "; without FIN also ", "FIN has no part in it"),
        (HAProxy, "", "timeout client 3s", "idle", "alive after 2 s, dead after 4 s (eof: ", "timeout client"),
        (HAProxy, "maxconn 1", "", "concurrency", "1 of 20 connections got every reply", "HAProxy's maxconn"),
        (HAProxy, "send-proxy", "", "answer", "'PROXY TCP4 127.0.0.1 ", "send-proxy"),
        (HAProxy, "send-proxy-v2", "", "answer", "a PROXY header, version 2: ", "send-proxy"),
        (HAProxy, "", "mode http", "answer", "'HTTP/1.1 400 Bad request'", "mode http"),
        (Nginx, "", "proxy_half_close off;", "half-close", "64 B, then FIN: ", "proxy_half_close"),
        (Envoy, "", "idle_timeout: 3s", "idle", "alive after 2 s, dead after 4 s (eof: ", "Envoy's idle_timeout"),
    ],
)
def test_proxies_that_do_harm(
    tmp_path: Path,
    shared_server: Server,
    kind: type[Proxy],
    options: str,
    lines: str,
    failing: str,
    detail: str,
    cause: str,
) -> None:
    """What a real proxy does wrong is found by one check alone, which says what it saw and what causes that."""
    idle = "4s" if "3s" in lines else "500ms"
    with kind(tmp_path, shared_server.target, options, lines) as proxy:
        code, others = checked(proxy.target, "--idle", idle, "--timeout", "2s")
    found = others[failing]
    assert [each["name"] for each in others.values() if each["status"] == "fail"] == [failing]
    assert detail in found["detail"]
    assert cause in found["usual_cause"]
    assert code in {4, 5}
    if failing == "idle":
        assert 2.9 < found["measured"]["dead_after_seconds"] < 4  # the clocks of two programs


def test_time_out_that_a_slow_server_exceeds(tmp_path: Path) -> None:
    """A time-out of a second for half-closed connections is found if the server needs longer."""
    slow = ("--workers", "1", "--fault", "delay=1:1500ms", "--allow-faults")
    with Server(*slow) as server, HAProxy(tmp_path, server.target, "", "timeout server-fin 1s") as proxy:
        code, others = checked(proxy.target, "--only", "half-close")
    assert (code, [*others]) == (4, ["half-close"])
    assert "timeout server-fin" in others["half-close"]["usual_cause"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal(tmp_path: Path, shared_server: Server, number: signal.Signals) -> None:
    """Each result is printed when it is there, also in a pipe; a signal leaves them, and a JSON that says so."""
    file = tmp_path / "results.json"
    options = ("--target", shared_server.target, "--only", "idle", "--idle", "1h", "--json", str(file))
    with running("stentor-client", "check", *options) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(b"answer"):
                break
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (128 + number, b"")
    assert rest.splitlines()[-1].endswith(b"interrupted before the end of idle")
    document = json.loads(file.read_bytes())
    assert (document["complete"], document["exit_code"]) == (False, 128 + number)
    assert [each["name"] for each in document["checks"]] == ["connect", "answer"]


def test_tls(authority: Authority, shared_server: Server) -> None:
    """Over TLS all passes, except what TLS lacks; without trust nothing connects."""
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server:
        code, others = checked(server.target, "--idle", "0", "--tls", "--tls-ca", authority.file)
        skipped = {name: each["status"] for name, each in others.items()}
        assert (code, skipped) == (0, {"half-close": "skip", "addresses": "skip"})
        code, others = checked(server.target, "--idle", "0", "--tls")
        assert (code, others["connect"]["outcome"], others["connect"]["phase"]) == (3, "tls", "tls")
        _, others = checked(server.target, "--only", "answer")
        assert "one that requires TLS" in others["answer"]["usual_cause"]
    _, others = checked(shared_server.target, "--only", "connect", "--tls")
    assert others["connect"]["detail"].endswith(": the peer does not speak TLS")


def test_unix_socket_on_a_terminal(tmp_path: Path) -> None:
    """A Unix socket passes; on a terminal the results are coloured, and what is being tried is shown."""
    path = tmp_path / "stentor.sock"
    command = ("stentor-client", "check", "--target", f"unix:{path}", "--idle", "500ms", "--largest", "1MiB")
    with Server("--unix", str(path)), Terminal(*command, columns=100) as terminal:
        code, shown = terminal.end()
    assert code == 0
    assert b"\x1b[32mpass" in terminal.shown
    assert "9 passed, 1 skipped" in shown
