"""Running a command line."""

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, USAGE, Failure
from stentor_chassis.options.command_line import Commands, group
from stentor_chassis.options.network import Network
from stentor_chassis.options.option import option
from stentor_chassis.options.quantities import Size
from unit.ending import RunCommand


def _service(end: BaseException | int | None = None) -> Commands:
    """Return a service with a command, `show`, that prints its options, or ends as given."""
    service = group("A service.", "1.2.3")

    @service.command()
    @option("--some-size", type=Size(), default="1KiB", help="A size.")
    @option("--allow", type=Network(), multiple=True, help="Networks.")
    def show(some_size: int, allow: Any) -> int | None:
        if isinstance(end, BaseException):
            raise end
        print(some_size, *allow)
        return end

    return service


def test_help(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Help shows flag, variable, meaning and default; a file given by flag, but not by variable, sets the defaults."""
    path = tmp_path / "stentor.toml"
    path.write_text('some-size = 7\nallow = ["::1", "::2"]')
    ended = run_command(_service(), "show", "--config", str(path), "--help")
    assert ended.code == 0
    assert "default: 7]" in ended.out
    assert "default: ::1, ::2]" in " ".join(ended.out.split())
    monkeypatch.setenv("STENTOR_CONFIG", str(tmp_path / "nothing.toml"))
    ended = run_command(_service(), "show", "-h")
    assert (ended.code, ended.err) == (0, "")
    for shown in ("--some-size SIZE", "A size.", "STENTOR_SOME_SIZE", "default: 1KiB]", "--config FILE"):
        assert shown in ended.out


def test_too_few_open_files(run_command: RunCommand) -> None:
    """Without room for the descriptors of an event loop, one line says what to raise, and none stays open."""
    own, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (own, most))
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + 5, most))
        ended = run_command(_service(), "show")
    words = "a-service: Too many open files; raise the file-descriptor limit (ulimit -n)\n"
    assert (ended.code, ended.err) == (INTERNAL_ERROR, words)
    assert run_command(_service(), "show").out == "1024\n"


@pytest.mark.parametrize(
    ("end", "code", "error"),
    [
        (0, 0, ""),
        (130, 130, ""),
        (Failure(3, "the port is taken"), 3, "a-service: the port is taken\n"),
        (Failure(141, ""), 141, ""),
        (Failure(3, "a\nb\x1b\udcff \u00fc"), 3, "a-service: a\\nb\\x1b\\udcff \u00fc\n"),
        (click.UsageError("a\nb\x1b\udcff \u00fc"), USAGE, "a-service: a b\\x1b\\udcff \u00fc\n"),
        (MemoryError(), INTERNAL_ERROR, "a-service: there is not enough memory\n"),
        (KeyboardInterrupt(), INTERRUPTED, "\n"),
        (click.Abort(), INTERRUPTED, ""),
    ],
    ids=repr,
)
def test_end(run_command: RunCommand, end: BaseException | int, code: int, error: str) -> None:
    """Each end of a command has an exit code, and one printable line if there is something to say."""
    ended = run_command(_service(end), "show")
    assert (ended.code, ended.err.replace("a-service show:", "a-service:")) == (code, error)


def test_bug(run_command: RunCommand) -> None:
    """Any other exception is a bug, and leaves a traceback."""
    with pytest.raises(ZeroDivisionError):
        run_command(_service(ZeroDivisionError()), "show")


SCRIPT = """
import signal
from stentor_chassis.options.command_line import group, run
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


def test_output_that_cannot_be_written() -> None:
    """If standard output cannot be written, as on a full disk, that is one line and no traceback."""
    with open("/dev/full", "wb") as full:
        child = subprocess.run(
            [sys.executable, "-c", SCRIPT, "say"], stdout=full, stderr=subprocess.PIPE, check=False, timeout=20
        )
    assert (child.returncode, child.stderr) == (INTERNAL_ERROR, b"a-service: No space left on device\n")


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full"])
def test_error_that_cannot_be_written(how: str) -> None:
    """If standard error cannot be written, the exit code is the same, and standard output stays empty."""
    command = ["sh", "-c", f'exec "$@" {how}', "sh", sys.executable, "-c", SCRIPT, "say", "--nonsense"]
    child = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=20)
    assert (child.returncode, child.stdout) == (USAGE, b"")


def _start(command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SCRIPT, command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_reader_goes_away() -> None:
    """When standard output has no reader any more the command ends quietly, as a filter does."""
    with _start("flood") as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == b"y" * 1000 + b"\n"
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(20) > 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, INTERRUPTED)])
def test_signals(number: int, code: int) -> None:
    """Unless a service handles it, SIGTERM kills the process, and SIGINT ends it with 130 and no traceback."""
    with _start("wait") as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.readline() == b"waiting\n"
        child.send_signal(number)
        assert code == child.wait(20)
        assert child.stderr.read().strip() == b""


def test_file(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable names the file and the flag overrides that; what is wrong with the file, or in it, is one line."""
    path = tmp_path / "stentor.toml"
    config = ["show", "--config", str(path)]
    monkeypatch.setenv("STENTOR_CONFIG", str(path))
    named = ("a-service show", "'--config'", "STENTOR_CONFIG", repr(str(path)), "No such file or directory")
    for ended in (run_command(_service(), *config), run_command(_service(), "show")):
        assert ended.code == USAGE
        assert all(each in ended.line for each in named)
    path.write_text("[show]")
    assert f"{str(path)!r}" in (wrong := run_command(_service(), "show").line)
    assert "'show' is a table" in wrong
    path.write_text("some-size = 2")
    assert run_command(_service(), "show").out == "2\n"
    path.write_text("some-size = 0.5")
    begin = f"a-service show: Invalid value for '--some-size' (env var: 'STENTOR_SOME_SIZE') in '{path}': '"
    assert run_command(_service(), *config).line.startswith(begin)
    assert str(path) not in run_command(_service(), *config, "--some-size", "large").line
    path.write_text('allow = ["::1", "::1/8"]')
    assert repr(str(path)) in run_command(_service(), "show").line
    monkeypatch.setenv("STENTOR_CONFIG", str(tmp_path / "nothing.toml"))
    monkeypatch.setenv("STENTOR_ALLOW", "large")
    assert str(path) not in run_command(_service(), *config).line


def test_usage(run_command: RunCommand) -> None:
    """The version has the name of the service; wrong usage ends with 2, and one line or the help."""
    assert {run_command(_service(), flag).out for flag in ("--version", "-V")} == {"a-service 1.2.3\n"}
    for arguments in (["show", "--unheard"], ["shows"]):
        ended = run_command(_service(), *arguments)
        assert (ended.code, arguments[-1] in ended.line) == (USAGE, True)
    ended = run_command(_service())
    assert (ended.code, ended.out, "Usage: a-service" in ended.err) == (USAGE, "", True)
