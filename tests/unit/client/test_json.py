"""`--json`, which is the same with every command that has it."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lying import LyingServer
from processes import BIN, ENVIRONMENT
from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE
from unit.client.probing import honest
from unit.client.reconcile.endpoints import admin, answering, pair

Command = tuple[str, ...]
Start = Callable[[str], Command]
COMMANDS = ("check", "trace", "load", "reconcile")
NOT_TOUCHED = "what was there before"


@pytest.fixture
def against() -> Iterator[Start]:
    """Gives a command line of a command, and what it needs to succeed."""
    with ExitStack() as stack:

        def start(command: str) -> Command:
            if command == "reconcile":
                client, server = (stack.enter_context(answering(admin(side))) for side in pair())
                return (command, "--client-admin", client, "--server-admin", server, "--timeout", "500ms")
            target = stack.enter_context(LyingServer(honest)).target
            brief = {
                "check": ("--idle", "0", "--largest", "1KiB"),
                "load": ("--rate", "50", "--duration", "200ms", "--warmup", "0", "--log-level", "error"),
            }
            return (command, "--target", target, *brief.get(command, ()))

        yield start


def _run(command: Command, stdout: int, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    line = [f"{BIN}/stentor-client", *command, *arguments]
    return subprocess.run(line, stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=60, check=False)


@pytest.mark.parametrize("hyphen", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_reader_that_leaves(against: Start, tmp_path: Path, command: str, *, hyphen: bool) -> None:
    """Where nobody reads standard output it ends as a filter does, without a word; the file has the result by then."""
    path = tmp_path / "result.json"
    path.write_text(NOT_TOUCHED)
    here, there = os.pipe()
    os.close(here)
    ended = _run(against(command), there, "--json", "-" if hyphen else str(path))
    os.close(there)
    assert (ended.returncode, ended.stderr) == (READER_GONE, b"")
    if not hyphen:
        assert isinstance(json.loads(path.read_bytes()), dict)


@pytest.mark.parametrize("command", COMMANDS)
def test_disk_that_is_full(against: Start, command: str) -> None:
    """What cannot be written after all costs the file, and not the text."""
    ended = _run(against(command), subprocess.PIPE, "--json", "/dev/full")
    told = b"stentor-client: cannot write /dev/full: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (INTERNAL_ERROR, told)
    assert ended.stdout.count(b"\n") > 4
