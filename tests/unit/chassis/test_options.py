"""Options, and the one place where a process exits."""

import signal
import subprocess
import sys
from typing import Any

import click
import pytest

from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, USAGE, Failure
from stentor_chassis.options import admin_options, group, log_options, option
from stentor_chassis.quantities import Size
from unit.ending import RunCommand


def _command(*declare: Any, end: BaseException | int | None = None) -> click.Group:
    """Return a service with one command, `show`, that prints its options, or ends as it is told."""

    def show(**values: Any) -> int | None:
        if isinstance(end, BaseException):
            raise end
        print(values)
        return end

    for each in declare:
        show = each(show)
    service = group("A service.", "1.2.3")
    service.command()(show)
    return service


def test_flag_variable_and_default(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flag goes before the variable, and the variable before the default."""
    service = _command(option("--some-size", type=Size(), default="1KiB", help="A size."))
    assert run_command(service, "show").out == "{'some_size': 1024}\n"
    monkeypatch.setenv("STENTOR_SOME_SIZE", "2KiB")
    assert run_command(service, "show").out == "{'some_size': 2048}\n"
    assert run_command(service, "show", "--some-size", "3KiB").out == "{'some_size': 3072}\n"


def test_help(run_command: RunCommand) -> None:
    """The help shows flag, variable, meaning and default; asking for it is no error."""
    service = _command(option("--some-size", type=Size(), default="1KiB", help="A size."))
    for flag in ("--help", "-h"):
        ended = run_command(service, "show", flag)
        assert (ended.code, ended.err) == (0, "")
        for shown in ("--some-size SIZE", "A size.", "STENTOR_SOME_SIZE", "1KiB"):
            assert shown in ended.out


def test_version(run_command: RunCommand) -> None:
    """The version is printed with the name of the service."""
    for flag in ("--version", "-V"):
        ended = run_command(_command(), flag)
        assert (ended.code, ended.out) == (0, "a-service 1.2.3\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "--some-size", "large"], ["a-service show", "--some-size", "STENTOR_SOME_SIZE", "large"]),
        (["show", "--unheard"], ["a-service show", "--unheard"]),
        (["show", "surprise"], ["a-service show", "surprise"]),
        (["shows"], ["a-service", "shows"]),
    ],
    ids=" ".join,
)
def test_wrong_usage(run_command: RunCommand, arguments: list[str], named: list[str]) -> None:
    """Wrong usage ends with 2 and one line that names what is wrong."""
    service = _command(option("--some-size", type=Size(), default="1KiB", help="A size."))
    ended = run_command(service, *arguments)
    assert ended.code == USAGE
    assert all(name in ended.line for name in named)


def test_no_command(run_command: RunCommand) -> None:
    """Without a command the help is shown, as an error."""
    ended = run_command(_command())
    assert (ended.code, ended.out) == (USAGE, "")
    assert "Usage: a-service" in ended.err


@pytest.mark.parametrize("code", [0, 5, 130])
def test_code_of_the_command(run_command: RunCommand, code: int) -> None:
    """What a command returns is what the process exits with."""
    assert code == run_command(_command(end=code), "show").code


def test_failure(run_command: RunCommand) -> None:
    """A failure ends with its code and its message as one line."""
    ended = run_command(_command(end=Failure(3, "the port is taken")), "show")
    assert (ended.code, ended.line) == (3, "a-service: the port is taken")


def test_failure_without_a_message(run_command: RunCommand) -> None:
    """A failure of which nobody needs to be told ends with its code alone."""
    ended = run_command(_command(end=Failure(141, "")), "show")
    assert (ended.code, ended.out, ended.err) == (141, "", "")


def test_output_that_cannot_be_written() -> None:
    """When standard output cannot be written, as on a full disk, that is one line and no traceback."""
    with open("/dev/full", "wb") as full:
        child = subprocess.run(
            [sys.executable, "-c", SCRIPT, "say"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=20
        )
    assert (child.returncode, child.stderr) == (INTERNAL_ERROR, b"a-service: No space left on device\n")


@pytest.mark.parametrize("end", [KeyboardInterrupt(), click.Abort()], ids=repr)
def test_interrupted(run_command: RunCommand, end: BaseException) -> None:
    """An interrupted command ends with 130 and no traceback."""
    ended = run_command(_command(end=end), "show")
    assert (ended.code, ended.err.strip()) == (INTERRUPTED, "")


def test_bug(run_command: RunCommand) -> None:
    """Anything else is a bug, and goes on to where its traceback is seen."""
    with pytest.raises(ZeroDivisionError):
        run_command(_command(end=ZeroDivisionError()), "show")


def test_shared_options(run_command: RunCommand) -> None:
    """Every service takes the same options for the admin endpoint and the log."""
    ended = run_command(_command(admin_options(8081), log_options, end=0), "show")
    assert ended.code == 0
    values = {"admin_host": "127.0.0.1", "admin_port": 8081, "log_level": "info", "log_format": "auto"}
    assert values == eval(ended.out)


SCRIPT = """
import click, os, signal, sys
from stentor_chassis.options import group, run
service = group("A service.", "1")
@service.command()
def flood():
    while True: print("y" * 1000)
@service.command()
def say(): print("something")
@service.command()
def wait():
    print("waiting", flush=True)
    signal.pause()
run(service, "a-service")
"""


def _start(command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SCRIPT, command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_reader_goes_away() -> None:
    """When nobody reads standard output any more the command ends quietly, as a filter does."""
    with _start("flood") as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == b"y" * 1000 + b"\n"
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(20) > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, INTERRUPTED)])
def test_signals(number: int, code: int) -> None:
    """Before a service takes over, SIGTERM ends the process as it ends any, and SIGINT with a code of its own."""
    with _start("wait") as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == b"waiting\n"
        child.send_signal(number)
        assert code == child.wait(20)
        assert child.stderr.read().strip() == b""
