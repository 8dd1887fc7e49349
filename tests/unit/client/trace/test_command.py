"""`trace` on the command line."""

import json
import os

import pytest

from lying import Behaviour, LyingServer, flip, stay_silent
from processes import run
from unit.client.probing import honest


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
    assert "\x1b" not in shown


def test_path_that_is_no_text() -> None:
    """A path may hold any bytes: the waterfall shows what is no text, or could command the terminal, as an escape."""
    ended = run("stentor-client", "trace", "--target", os.fsdecode(b"unix:/none/\xff\x1b[2J"))
    assert (ended.returncode, ended.stderr) == (3, b"")
    assert ended.stdout.startswith(b"unix:/none/\\udcff\\x1b[2J")
    assert b"\x1b" not in ended.stdout
