"""Options, and the one place where a process exits."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, USAGE, Failure
from stentor_chassis.options.command_line import group
from stentor_chassis.options.network import Network
from stentor_chassis.options.option import admin_options, log_options, option, wrong_value
from stentor_chassis.options.processors import Workers
from stentor_chassis.options.quantities import Duration, Size
from stentor_chassis.options.text import File, Text
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


# An option of every kind: what it is declared with; then as flags, as variable and as line of the file, each with a
# value of its own; and the values that come of these, and of none.
KINDS = [
    (
        option("--some-size", type=Size(), default="1KiB", help="A size."),
        (["--some-size", "4KiB"], "3KiB", 'some-size = "2KiB"'),
        (4096, 3072, 2048, 1024),
    ),
    (
        option("--some-size", type=Size(), help="A size."),
        (["--some-size", "4"], "3", "some-size = 2"),
        (4, 3, 2, None),
    ),
    (
        option("--count", type=click.IntRange(0, 9), default=1, help="A count."),
        (["--count", "4"], "3", "count = 2"),
        (4, 3, 2, 1),
    ),
    (
        option("--workers", type=Workers(), default=1, help="Workers."),
        (["--workers", "4"], "3", "workers = 2"),
        (4, 3, 2, 1),
    ),
    (
        option("--timeout", type=Duration(), default="1s", help="A duration."),
        (["--timeout", "4s"], "3s", 'timeout = "2s"'),
        (4.0, 3.0, 2.0, 1.0),
    ),
    (
        option("--transform", type=click.Choice(["a", "b", "c", "d"]), default="a", help="A choice."),
        (["--transform", "d"], "c", 'transform = "b"'),
        ("d", "c", "b", "a"),
    ),
    (
        option("--host", default="a", help="A text."),
        (["--host", "d"], "c", 'host = "b"'),
        ("d", "c", "b", "a"),
    ),
    (
        option("--closed", is_flag=True, help="A switch."),
        (["--closed"], "0", "closed = true"),
        (True, False, True, False),
    ),
    (
        option("--allow", type=Network(), multiple=True, help="Networks."),
        (["--allow", "10.4.0.0/16", "--allow", "::4"], "10.3.0.0/16,::3", 'allow = ["10.2.0.0/16", "::2"]'),
        (("10.4.0.0/16", "::4/128"), ("10.3.0.0/16", "::3/128"), ("10.2.0.0/16", "::2/128"), ()),
    ),
    (
        option("--allow", type=Network(), multiple=True, default=["::1"], help="Networks."),
        (["--allow", "::4"], "::3", 'allow = "::2"'),
        (("::4/128",), ("::3/128",), ("::2/128",), ("::1/128",)),
    ),
]


@pytest.mark.parametrize(("declare", "given", "values"), KINDS)
def test_precedence(
    run_command: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    declare: Any,
    given: tuple[list[str], str, str],
    values: tuple[Any, Any, Any, Any],
) -> None:
    """The flag goes before the variable, that before the file, and that before the default, for every kind of value."""
    service = _command(declare)
    flags, variable, line = given
    path = tmp_path / "stentor.toml"
    path.write_text(line)
    from_flag, from_variable, from_file, default = values
    name = flags[0].removeprefix("--").replace("-", "_")
    config = ["--config", str(path)]

    def shown(*arguments: str) -> Any:
        return eval(run_command(service, "show", *arguments).out)[name]

    assert default == shown()
    assert from_file == shown(*config)
    monkeypatch.setenv(f"STENTOR_{name.upper()}", variable)
    assert from_variable == shown(*config) == shown()
    assert from_flag == shown(*config, *flags) == shown(*flags, *config) == shown(*flags)
    if name != "allow":  # of which an empty variable is wrong
        monkeypatch.setenv(f"STENTOR_{name.upper()}", "")
        assert from_file == shown(*config)


def test_file_named_by_variable(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file can be named by its variable; the flag goes before it, and no other file is read then."""
    service = _command(option("--some-size", type=Size(), default="1KiB", help="A size."))
    (tmp_path / "stentor.toml").write_text("some-size = 5")
    monkeypatch.setenv("STENTOR_CONFIG", str(tmp_path / "stentor.toml"))
    assert run_command(service, "show").out == "{'some_size': 5}\n"
    monkeypatch.setenv("STENTOR_CONFIG", str(tmp_path / "nothing.toml"))
    assert run_command(service, "show", "--config", str(tmp_path / "stentor.toml")).out == "{'some_size': 5}\n"


def test_file_of_several_commands(run_command: RunCommand, tmp_path: Path) -> None:
    """Commands share a file; each takes what it has an option for."""
    service = _command(option("--some-size", type=Size(), default="1KiB", help="A size."))

    @service.command()
    @option("--count", type=int, help="A count.")
    def other(count: int) -> None:
        print(count)

    path = tmp_path / "stentor.toml"
    path.write_text("some-size = 2\ncount = 3")
    assert run_command(service, "show", "--config", str(path)).out == "{'some_size': 2}\n"
    assert run_command(service, "other", "--config", str(path)).out == "3\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory"),
        ("", "Is a directory"),
        ("some-size = \n", "not TOML: Invalid value (at line 1, column 13)"),
        ("[show]", "'show' is a table"),
        ("size = 1", "'size' is no option of any command; did you mean 'some-size'?"),
        ("some_size = 1", "did you mean 'some-size'?"),
        ("config = 'x'", "'config' cannot be set in the file itself"),
    ],
)
def test_wrong_file(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, message: str
) -> None:
    """A file that cannot be used ends with 2 and one line that names option, variable, file and what is wrong."""
    service = _command(option("--some-size", type=Size(), default="1KiB", help="A size."))
    path = tmp_path / "a file"
    if text:
        path.write_text(text)
    elif text is not None:
        path.mkdir()
    by_flag = run_command(service, "show", "--config", str(path))
    monkeypatch.setenv("STENTOR_CONFIG", str(path))
    by_variable = run_command(service, "show")
    for ended in (by_flag, by_variable):
        assert ended.code == USAGE
        for named in ("a-service show", "--config", "STENTOR_CONFIG", repr(str(path)), message):
            assert named in ended.line


def test_wrong_value_in_the_file(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong value names the file where it came from there, and only then."""
    service = _command(
        option("--some-size", type=Size(), default="1KiB", help="A size."),
        option("--allow", type=Network(), multiple=True, help="Networks."),
    )
    path = tmp_path / "stentor.toml"
    config = ["--config", str(path)]
    for line, flag in (("some-size = 0.5", "--some-size"), ('allow = ["::1", "::1/8"]', "--allow")):
        path.write_text(line)
        ended = run_command(service, "show", *config)
        assert ended.code == USAGE
        variable = "STENTOR_" + flag.strip("-").replace("-", "_").upper()
        assert ended.line.startswith(
            f"a-service show: Invalid value for '{flag}' (env var: '{variable}') in '{path}': '"
        )
    assert str(path) not in run_command(service, "show", *config, "--some-size", "large").line
    assert str(path) not in run_command(service, "show", *config, "--allow", "large").line
    monkeypatch.setenv("STENTOR_ALLOW", "large")
    assert str(path) not in run_command(service, "show", *config).line


def test_empty_variable(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as none, as compose passes it on, unless that would leave a door open in silence."""
    service = _command(
        option("--some-size", type=Size(), default="1KiB", help="A size."),
        option("--some-name", type=Text(), default="x", help="A name."),
        option("--some-file", type=File(), help="A file."),
        option("--allow", type=Network(), multiple=True, help="Networks."),
    )
    for name in ("SIZE", "NAME"):
        monkeypatch.setenv(f"STENTOR_SOME_{name}", "")
    values = {"some_size": 1024, "some_name": "x", "some_file": None, "allow": ()}
    assert eval(run_command(service, "show").out) == values
    for flag, value in (("--some-file", "a"), ("--allow", "::1"), ("--config", "/dev/null")):
        variable = "STENTOR_" + flag.strip("-").replace("-", "_").upper()
        with monkeypatch.context() as set_empty:
            set_empty.setenv(variable, "")
            ended = run_command(service, "show")
            assert ended.code == USAGE
            assert flag in ended.line
            assert ended.line.endswith(f"(env var: '{variable}'): the variable is empty")
            if flag != "--config":
                assert value in run_command(service, "show", flag, value).out


@pytest.mark.parametrize("end", [Failure(3, "a\nb\x1b\udcff \u00fc"), click.UsageError("a\nb\x1b\udcff \u00fc")])
def test_one_line_whatever_it_names(run_command: RunCommand, end: Exception) -> None:
    """What a path or a host has in it makes neither two lines of one nor anything else of a terminal."""
    ended = run_command(_command(end=end), "show")
    assert ended.line.startswith("a-service")
    assert ended.line.endswith("b\\x1b\\udcff \u00fc")


def test_wrong_value_by_the_command(run_command: RunCommand, tmp_path: Path) -> None:
    """A command can refuse a value as a type does, with the same names in the line."""

    def refuse(**_: Any) -> None:
        raise wrong_value("some_size", "too large for today")

    service = group("A service.", "1")
    service.command()(option("--some-size", type=Size(), help="A size.")(refuse))
    path = tmp_path / "stentor.toml"
    path.write_text("some-size = 5")
    begin = "a-service refuse: Invalid value for '--some-size' (env var: 'STENTOR_SOME_SIZE')"
    assert run_command(service, "refuse", "--some-size", "5").line == f"{begin}: too large for today"
    ended = run_command(service, "refuse", "--config", str(path))
    assert (ended.code, ended.line) == (USAGE, f"{begin} in '{path}': too large for today")


def test_help_with_a_file(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Help shows the defaults as the file that stands before it has them, and asks for none that the variable names."""
    service = _command(
        option("--some-size", type=Size(), default="1KiB", help="A size."),
        option("--allow", type=Network(), multiple=True, help="Networks."),
    )
    path = tmp_path / "stentor.toml"
    path.write_text('some-size = 7\nallow = ["::1", "::2"]')
    ended = run_command(service, "show", "--config", str(path), "--help")
    assert ended.code == 0
    assert "default: 7]" in ended.out
    assert "default: ::1, ::2]" in " ".join(ended.out.split())
    monkeypatch.setenv("STENTOR_CONFIG", str(tmp_path / "nothing.toml"))
    ended = run_command(service, "show", "--help")
    assert (ended.code, ended.err) == (0, "")
    for shown in ("--config FILE", "STENTOR_CONFIG", "default: 1KiB]"):
        assert shown in ended.out


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


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full", "2>&0"])
def test_error_that_cannot_be_told(how: str) -> None:
    """Where standard error takes nothing, the exit code is what it would have been, and standard output has no word."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as broken:
        child = subprocess.run(
            ["sh", "-c", f'exec "$@" {how}', "sh", sys.executable, "-c", SCRIPT, "say", "--nonsense"],
            stdin=broken,
            stdout=subprocess.PIPE,
            check=False,
            timeout=20,
        )
    assert (child.returncode, child.stdout) == (USAGE, b"")


def test_memory_that_runs_out(run_command: RunCommand) -> None:
    """Too little memory is no bug."""
    ended = run_command(_command(end=MemoryError()), "show")
    assert (ended.code, ended.line) == (INTERNAL_ERROR, "a-service: there is not enough memory")


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
    values = {"admin_host": "127.0.0.1", "admin_port": 8081, "level": "info", "format": "auto"}
    assert values == eval(ended.out)


SCRIPT = """
import click, os, signal, sys
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
