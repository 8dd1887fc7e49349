"""`check`, from the command line."""

import json
from pathlib import Path

import pytest

from lying import LyingServer, echo
from processes import run, running
from stentor_chassis.failure import READER_GONE, USAGE
from stentor_client.__main__ import cli
from stentor_client.check import battery
from unit.client.probing import honest
from unit.ending import RunCommand

QUICK = ("--idle", "100ms", "--largest", "64KiB")


def test_table() -> None:
    """Results go to standard output and nothing goes to standard error; no line ends with blanks, none is coloured."""
    with LyingServer(honest) as server:
        ended = run("stentor-client", "check", "--target", server.target, *QUICK)
    assert (ended.returncode, ended.stderr) == (0, b"")
    head, *lines = ended.stdout.decode().splitlines()
    assert head == f"The path to {server.target}"
    assert lines[-1].startswith("9 passed, 1 skipped in ")
    assert [line for line in lines if line != line.rstrip() or "\x1b" in line or len(line) > 80] == []


def test_json() -> None:
    """On standard output the JSON stands alone, and has the exit code of the process."""
    with LyingServer(echo) as server:
        ended = run("stentor-client", "check", "--target", server.target, *QUICK, "--json", "-")
    document = json.loads(ended.stdout)
    assert ended.returncode == 5 == document["exit_code"]
    assert [each["name"] for each in document["checks"] if each["status"] == "fail"] == ["answer"]


@pytest.mark.parametrize(("flag", "value"), [("--largest", "65MiB"), ("--idle", "5"), ("--only", "x"), ("--skip", "x")])
def test_wrong_value(run_command: RunCommand, flag: str, value: str) -> None:
    """A wrong value ends with 2 and one line that names the option, before anything is tried."""
    ended = run_command(cli, "check", flag, value)
    assert ended.code == USAGE
    assert flag in ended.line
    assert ("'half-close', 'full-duplex', 'idle'" in ended.line) is (value == "x")


def test_no_check_is_left(run_command: RunCommand) -> None:
    """To choose none is a wrong value as well; the help names those there are."""
    ended = run_command(cli, "check", "--only", "idle", "--idle", "0")
    assert (ended.code, "no check is left" in ended.line) == (USAGE, True)
    words = "".join(run_command(cli, "check", "--help").out.split())
    assert f"Checks:{','.join(kind.name for kind in battery.KINDS)}." in words


def test_reader_that_goes(tmp_path: Path) -> None:
    """If the reader of the table goes, the JSON still has what is finished."""
    file = tmp_path / "results.json"
    with LyingServer(honest) as server:
        command = ("stentor-client", "check", "--target", server.target, "--only", "answer", "--json", str(file))
        with running(*command) as process:
            assert process.stdout
            process.stdout.close()
            assert process.wait(60) == READER_GONE
    document = json.loads(file.read_bytes())
    assert (document["complete"], document["exit_code"]) == (False, READER_GONE)


def test_path_that_is_no_text() -> None:
    """Neither the head of the table nor what was found can command the terminal."""
    ended = run("stentor-client", "check", "--target", "unix:/none/\x1b[2J", *QUICK)
    assert (ended.returncode, ended.stderr) == (3, b"")
    assert ended.stdout.startswith(b"The path to unix:/none/\\x1b[2J\n")
    assert b"\x1b" not in ended.stdout
