"""The command `load`: what it refuses before it begins, and what it leaves behind."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import stentor_client.load.report
from lying import LyingServer, flip
from processes import BIN, ENVIRONMENT, run
from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, USAGE
from stentor_client.__main__ import cli
from unit.ending import RunCommand

NOBODY = ("--target", "127.0.0.1:1")  # nothing gets as far as finding that out
BRIEF = ("--rate", "50", "--duration", "200ms", "--warmup", "0", "--connections", "2", "--log-level", "error")


def honest(connection: socket.socket) -> None:
    """Answer in upper case until the client ends."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--report", "load.pdf"], "'load.pdf' does not end in .html, .svg or .png"),
        (["--report", "html"], "'html' does not end in"),
        (["--report", "/nowhere/load.html"], "cannot write /nowhere/load.html: No such file or directory"),
        (["--json", "/nowhere/load.json"], "cannot write /nowhere/load.json: No such file or directory"),
        (["--json", "/"], "cannot write /: Is a directory"),
        (["--closed", "--rate", "5"], "leave out --rate"),
        (["--closed", "--poisson"], "no schedule"),
        (["--workers", "3", "--connections", "2"], "more than the 2 connections"),
        (["--connection", "fresh", "--pipeline", "2"], "carries one message"),
        (["--max-error-rate", "2"], "is not a share such as 0.1%"),
        (["--max-error-rate", "101%"], "is not a share such as 0.1%"),
        (["--rate", "5..x"], "'x' is not a rate"),
    ],
)
def test_refused(run_command: RunCommand, arguments: list[str], words: str) -> None:
    """What cannot be done is said before the load begins, in a line that names option and variable."""
    ended = run_command(cli, "load", *NOBODY, *arguments)
    assert ended.code == USAGE
    assert words in ended.line
    assert "STENTOR_" in ended.line


def test_without_matplotlib(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where matplotlib is missing, it is said how to get it, and no file is made."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "matplotlib" or name in {
            f"stentor_client.load.report.{each}" for each in _DRAWING
        }:
            monkeypatch.delitem(sys.modules, name)
    for each in _DRAWING:
        monkeypatch.delattr(stentor_client.load.report, each, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = run_command(cli, "load", *NOBODY, "--report", str(tmp_path / "load.html"))
    assert ended.code == USAGE
    assert ended.line.endswith("needs matplotlib: pip install 'stentor-client[report]'")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_load_that_did_not_begin(run_command: RunCommand, tmp_path: Path) -> None:
    """A file that is there keeps what it holds until there is something new, and none is made before."""
    kept, new = tmp_path / "kept.html", tmp_path / "new.json"
    kept.write_text("before")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        ended = run_command(cli, "load", "--target", target, "--report", str(kept), "--json", str(new))
    assert ended.code == 3
    assert (kept.read_text(), new.exists()) == ("before", False)


def test_files() -> None:
    """Text goes to standard output, or the JSON in its place; neither has anything else with it."""
    with LyingServer(honest) as server:
        text = run("stentor-client", "load", "--target", server.target, *BRIEF)
        made = run("stentor-client", "load", "--target", server.target, *BRIEF, "--json", "-")
    assert (text.returncode, text.stderr) == (0, b"")
    assert text.stdout.startswith(f"{server.target}\n50/s over 2 connections".encode())
    assert (made.returncode, made.stderr) == (0, b"")
    assert json.loads(made.stdout)["exchanges"] == 10


@pytest.mark.parametrize(
    ("thresholds", "code"),
    [
        ([], 5),
        (["--max-error-rate", "100%"], 0),
        (["--max-error-rate", "99%"], 6),
        (["--max-error-rate", "1", "--max-p99", "1m"], 6),  # nothing to measure
    ],
)
def test_exit_code_of_failures(thresholds: list[str], code: int) -> None:
    """Failures decide the exit code, unless it is said how many are borne."""
    with LyingServer(flip) as server:
        ended = run("stentor-client", "load", "--target", server.target, *BRIEF, *thresholds)
    assert ended.returncode == code
    assert b"10 failed, 100%" in ended.stdout


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_disk_that_fills(option: str, tmp_path: Path) -> None:
    """What cannot be written after all costs the file, and not the figures."""
    path = tmp_path / "load.svg"
    os.symlink("/dev/full", path)
    with LyingServer(honest) as server:
        ended = run("stentor-client", "load", "--target", server.target, *BRIEF, option, str(path))
    assert ended.returncode == INTERNAL_ERROR
    assert ended.stderr.decode() == f"stentor-client: cannot write {path}: No space left on device\n"
    assert b"every reply was right" in ended.stdout


def test_nobody_reads() -> None:
    """When the reader has gone the code says so, without a word."""
    with LyingServer(honest) as server:
        command = [f"{BIN}/stentor-client", "load", "--target", server.target, *BRIEF]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT) as child:
            assert child.stdout is not None
            child.stdout.close()
            assert child.stderr is not None
            assert (child.stderr.read(), child.wait(30)) == (b"", READER_GONE)


def test_standard_output_that_is_closed() -> None:
    """A report that has nowhere to go is one line, and no bug."""
    with LyingServer(honest) as server:
        command = [
            "sh",
            "-c",
            'exec "$@" >&-',
            "sh",
            f"{BIN}/stentor-client",
            "load",
            "--target",
            server.target,
            *BRIEF,
        ]
        ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=60, check=False)
    assert ended.returncode == INTERNAL_ERROR
    assert ended.stderr == b"stentor-client: cannot write standard output: Bad file descriptor\n"


def test_terminal_without_such_characters() -> None:
    """A sign that standard output cannot show costs no more than this sign."""
    with LyingServer(honest) as server:
        environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
        ended = run("stentor-client", "load", "--target", server.target, *BRIEF, env=environment)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "every reply was right" in ended.stdout.decode("ascii")


_DRAWING = ("html", "pictures")
