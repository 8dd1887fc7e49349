"""The command `load`: what it refuses, and what it leaves behind."""

import json
import os
import socket
import sys
from pathlib import Path

import pytest

import stentor_client.load.report
from lying import LyingServer, flip
from stentor_chassis.failure import INTERNAL_ERROR, USAGE
from stentor_client.__main__ import cli
from unit.ending import RunCommand

NOBODY = ("--target", "127.0.0.1:1")  # not reached in these tests
BRIEF = ("--rate", "50", "--duration", "200ms", "--warmup", "0", "--connections", "2", "--log-level", "error")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--report", "load.pdf"], "'load.pdf' does not end in .html, .svg or .png"),
        (["--report", "/nowhere/load.html"], "cannot write /nowhere/load.html: No such file or directory"),
        (["--closed", "--rate", "5"], "leave out --rate"),
        (["--closed", "--poisson"], "no schedule"),
        (["--workers", "3", "--connections", "2"], "exceeds the 2 connections"),
        (["--connection", "fresh", "--pipeline", "2"], "carries one message"),
        (["--max-error-rate", "2"], "is not a share such as 0.1%"),
        (["--max-error-rate", "101%"], "is not a share such as 0.1%"),
        (["--rate", "5..x"], "'x' is not a rate"),
        (["--rate", "5.."], "'5..' is not a ramp such as 1000..20000"),
    ],
)
def test_refused(run_command: RunCommand, arguments: list[str], words: str) -> None:
    """Wrong options are reported before the load begins, in a line that names option and variable."""
    ended = run_command(cli, "load", *NOBODY, *arguments)
    assert (ended.code, words in ended.line, "STENTOR_" in ended.line) == (USAGE, True, True)


def test_without_matplotlib(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If matplotlib is missing, the message says how to install it, and no file is made."""
    for name in [*sys.modules]:
        if name.partition(".")[0] == "matplotlib" or name.startswith(("stentor_client.load.report.", "matplotlib")):
            monkeypatch.delitem(sys.modules, name)
    for module in ("html", "pictures"):
        monkeypatch.delattr(stentor_client.load.report, module, raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ended = run_command(cli, "load", *NOBODY, "--report", str(tmp_path / "load.html"))
    assert ended.code == USAGE
    assert ended.line.endswith("needs matplotlib: pip install 'stentor-client[report]'")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_load_that_did_not_begin(run_command: RunCommand, tmp_path: Path) -> None:
    """A file keeps its content until there is something new, and none is made before."""
    kept, new = tmp_path / "kept.html", tmp_path / "new.json"
    kept.write_text("before")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        ended = run_command(cli, "load", "--target", target, "--report", str(kept), "--json", str(new))
    assert ended.code == 3
    assert (kept.read_text(), new.exists()) == ("before", False)


def test_files(run_command: RunCommand, target: str, tmp_path: Path) -> None:
    """Standard output has the text, or the JSON in its place; a report is written as its name says."""
    page, picture = tmp_path / "load.html", tmp_path / "load.svg"
    text = run_command(cli, "load", "--target", target, *BRIEF, "--report", str(page))
    made = run_command(cli, "load", "--target", target, *BRIEF, "--report", str(picture), "--json", "-")
    assert (text.code, text.err, made.code, made.err) == (0, "", 0, "")
    assert text.out.startswith(f"{target}\n50/s over 2 connections")
    assert json.loads(made.out)["exchanges"] == 10
    assert [path.read_text()[:5] for path in (page, picture)] == ["<!doc", "<?xml"]


@pytest.mark.parametrize(
    ("thresholds", "code"),
    [
        ([], 5),
        (["--max-error-rate", "100%"], 0),
        (["--max-error-rate", "99%"], 6),
        (["--max-error-rate", "1", "--max-p99", "1m"], 6),  # nothing to measure
    ],
)
def test_exit_code_of_failures(run_command: RunCommand, thresholds: list[str], code: int) -> None:
    """Failures decide the exit code, unless a share of them is allowed."""
    with LyingServer(flip) as server:
        ended = run_command(cli, "load", "--target", server.target, *BRIEF, *thresholds)
    assert (ended.code, "10 failed, 100 %" in ended.out) == (code, True)


def test_disk_that_fills(run_command: RunCommand, target: str, tmp_path: Path) -> None:
    """If the report cannot be written in the end, the figures are still printed."""
    path = tmp_path / "load.svg"
    os.symlink("/dev/full", path)
    ended = run_command(cli, "load", "--target", target, *BRIEF, "--report", str(path))
    assert ended.code == INTERNAL_ERROR
    assert ended.err == f"a-service: cannot write {path}: No space left on device\n"
    assert "throughput" in ended.out
