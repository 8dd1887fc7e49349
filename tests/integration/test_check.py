"""`stentor-client check` over real paths: proxies that are right, and middleboxes that are not."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

import lying
import middlebox
from certificates import Authority
from lying import Behaviour, LyingServer
from processes import BIN, ENVIRONMENT, Server, run
from proxies import HAProxy, Nginx

QUICK = ("--timeout", "1s", "--largest", "1MiB")


def checked(target: str, *options: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit code, and the checks that did not pass, by name."""
    ended = run("stentor-client", "check", "--target", target, "--json", "-", *options)
    assert ended.stderr == b""
    return ended.returncode, {
        each["name"]: each for each in json.loads(ended.stdout)["checks"] if each["status"] != "pass"
    }


def test_server(server: Server) -> None:
    """The server itself passes everything, the address apart of which there is one; and nothing is left behind."""
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
    """nginx as it is unless told otherwise ends both directions at the first FIN, and only that is found."""

    class Plain(Nginx):
        def command(self) -> list[str]:
            command = super().command()
            path = self.folder / "nginx.conf"
            path.write_text(path.read_text().replace("proxy_half_close on;", ""))
            return command

    with Plain(tmp_path, shared_server.target) as proxy:
        code, others = checked(proxy.target, "--idle", "0")
    assert [*others] == ["half-close", "addresses"]
    assert code in {4, 5}
    assert others["half-close"]["outcome"] in {"eof", "short", "reset"}
    assert "proxy_half_close" in others["half-close"]["usual_cause"]


@pytest.mark.parametrize(
    ("pump", "code", "name", "detail"),
    [
        (middlebox.honest, 0, None, ""),
        (middlebox.end_both, None, "half-close", "then FIN: "),
        (middlebox.keep_the_end, 4, "half-close", "the whole reply came, but timeout"),
        (middlebox.swallow_above(1460), 4, "sizes", "1460 B comes back, 1472 B does not: timeout"),
        (middlebox.forget_when_idle(1.5), 4, "idle", "alive after 1 s, dead after 2 s (timeout: no progress for 1 s"),
        (middlebox.cut_when_idle(1.5), 4, "idle", "alive after 1 s, dead after 2 s (reset: the connection ended after"),
    ],
    ids=["honest", "ends both", "keeps the FIN", "black hole", "forgets", "cuts"],
)
def test_middleboxes(
    shared_server: Server, pump: middlebox.Pump, code: int | None, name: str | None, detail: str
) -> None:
    """Each fault is found by the check for it, and by no other."""
    idle = "2s" if name == "idle" else "0"
    with LyingServer(middlebox.between(shared_server.target, pump)) as box:
        ended, others = checked(box.target, "--idle", idle, *QUICK)
    failed = [each for each in others.values() if each["status"] == "fail"]
    assert [each["name"] for each in failed] == [name] * (name is not None)
    assert [each for each in failed if detail not in each["detail"]] == []
    assert ended == code or (code is None and ended in {4, 5})


@pytest.mark.parametrize(
    ("behaviour", "code", "detail"),
    [
        (lying.echo, 5, "mismatch: the reply is what was sent, unchanged: something echoes"),
        (lying.reset, 4, "reset: the connection was cut before any byte of the reply"),
        (lying.stay_silent, 4, "timeout: no progress for 1 s before any byte of the reply"),
    ],
)
def test_who_answers_in_place_of_the_server(behaviour: Behaviour, code: int, detail: str) -> None:
    """What answers by itself, or not at all, is found at the first answer, and the rest is left alone."""
    with LyingServer(behaviour) as box:
        ended, others = checked(box.target, *QUICK)
    assert (ended, others.pop("answer")["detail"]) == (code, detail)
    assert {each["status"] for each in others.values()} == {"skip"}


def test_tls(authority: Authority) -> None:
    """Over TLS all passes, but for what TLS has not; without trust nothing connects."""
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server:
        code, others = checked(server.target, "--idle", "0", "--tls", "--tls-ca", authority.file)
        assert (code, {name: each["status"] for name, each in others.items()}) == (
            0,
            {"half-close": "skip", "addresses": "skip"},
        )
        code, others = checked(server.target, "--idle", "0", "--tls")
        assert (code, others["connect"]["outcome"], others["connect"]["phase"]) == (3, "tls", "tls")


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket passes, with one address."""
    path = tmp_path / "stentor.sock"
    with Server("--unix", str(path)):
        code, others = checked(f"unix:{path}", "--idle", "0")
    assert (code, others["addresses"]["detail"]) == (0, "a Unix socket has one address")


def test_server_that_is_too_small() -> None:
    """A server with fewer connections than are wanted is found by that."""
    with Server("--workers", "1", "--max-connections", "12") as server:
        code, others = checked(server.target, "--idle", "0", *QUICK)
    assert code == 4
    assert [name for name, each in others.items() if each["status"] == "fail"] == ["concurrency"]
    assert "of 20 connections" in others["concurrency"]["detail"]


def test_terminal(shared_server: Server) -> None:
    """On a terminal the results are coloured, and standard error tells what is being tried."""
    here, there = pty.openpty()
    command = [f"{BIN}/stentor-client", "check", "--target", shared_server.target, "--idle", "500ms", *QUICK]
    environment = {**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    shown = bytearray()
    with subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=environment, close_fds=True) as client:
        os.close(there)
        try:
            while part := os.read(here, 65536):
                shown += part
        except OSError:  # the terminal's other end is closed
            pass
        assert client.wait(20) == 0
    os.close(here)
    assert b"\x1b[32mpass" in shown
    assert b"idle: A connection that was silent" in shown
    assert b"9 passed, 1 skipped" in shown
