"""`trace` on the command line."""

import json
import os
from pathlib import Path

import pytest

from lying import Behaviour, LyingServer, flip, stay_silent
from processes import run
from stentor_chassis.failure import USAGE
from stentor_client.__main__ import cli
from unit.client.probing import honest
from unit.ending import RunCommand


@pytest.mark.parametrize(
    ("arguments", "size"), [((), 5), (("two words",), 9), (("--size", "64KiB"), 65536), (("x", "--size", "64KiB"), 1)]
)
def test_message(arguments: tuple[str, ...], size: int) -> None:
    """TEXT is sent as it is; without it, a message of a size, or a short one."""
    with LyingServer(honest) as server:
        ended = run("stentor-client", "trace", "--target", server.target, "--json", "-", *arguments)
    facts = json.loads(ended.stdout)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (facts["outcome"], facts["sent_bytes"], facts["received_bytes"]) == ("ok", size, size)


def test_waterfall_and_file(tmp_path: Path) -> None:
    """The waterfall goes to standard output, without colours in a pipe, and the figures to a file."""
    path = tmp_path / "trace.json"
    with LyingServer(honest) as server:
        ended = run("stentor-client", "trace", "--target", server.target, "--json", str(path))
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert "  shutdown, close" in ended.stdout.decode()
    assert b"\x1b" not in ended.stdout
    phases = [phase["phase"] for phase in json.loads(path.read_bytes())["phases"]]
    assert phases == ["resolve", "connect", "send", "first_byte", "reply", "close"]


@pytest.mark.parametrize(
    ("behaviour", "timeout", "code", "outcome"),
    [(flip, "10s", 5, "mismatch"), (stay_silent, "200ms", 4, "timeout"), (None, "10s", 3, "refused")],
)
def test_failure(behaviour: Behaviour | None, timeout: str, code: int, outcome: str) -> None:
    """A failure has the exit code of its outcome, and both are in the waterfall."""
    with LyingServer(behaviour or honest) as server:
        target = server.target if behaviour else "127.0.0.1:1"
        ended = run("stentor-client", "trace", "--target", target, "--timeout", timeout)
    assert (ended.returncode, ended.stderr) == (code, b"")
    shown = ended.stdout.decode()
    assert f"    {outcome}: {target}: " in shown
    assert shown.endswith(f"    {outcome}, exit code {code}\n")


@pytest.mark.parametrize("value", ["0", "65MiB", "big"])
def test_wrong_size(run_command: RunCommand, value: str) -> None:
    """A size that no message can have ends with 2 and one line."""
    ended = run_command(cli, "trace", "--size", value)
    assert (ended.code, "--size" in ended.line, "STENTOR_SIZE" in ended.line) == (USAGE, True, True)


def test_path_that_is_no_text() -> None:
    """A path may hold any bytes: the waterfall shows what is no text, or could command the terminal, as an escape."""
    ended = run("stentor-client", "trace", "--target", os.fsdecode(b"unix:/none/\xff\x1b[2J"))
    assert (ended.returncode, ended.stderr) == (3, b"")
    assert ended.stdout.startswith(b"unix:/none/\\udcff\\x1b[2J")
    assert b"\x1b" not in ended.stdout
