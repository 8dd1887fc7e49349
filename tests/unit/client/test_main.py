"""The command line of the client."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from stentor_chassis.failure import USAGE
from stentor_client.__main__ import cli
from unit.client.wire.naming import swallowing
from unit.ending import RunCommand, commands, identify


@pytest.mark.parametrize(
    ("command", "flag", "value"),
    [
        ("send", "--target", "nowhere"),
        ("send", "--expect", "lower"),
        ("probe", "--connect-timeout", "0s"),
        ("probe", "--count", "-1"),
    ],
)
def test_wrong_value(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, flag: str, value: str
) -> None:
    """A wrong value, by flag, variable or file, ends with 2 and one line that names them and the value."""
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    by_flag = run_command(cli, command, flag, value)
    path = tmp_path / "stentor.toml"
    path.write_text(f'{flag.removeprefix("--")} = "{value}"')
    by_file = run_command(cli, command, "--config", str(path))
    assert repr(str(path)) in by_file.line
    monkeypatch.setenv(variable, value)
    by_variable = run_command(cli, command)
    for ended in (by_flag, by_file, by_variable):
        assert ended.code == USAGE
        assert flag in ended.line
        assert variable in ended.line
        assert value in ended.line


@pytest.mark.parametrize(
    ("command", "option"), [each for each in commands(cli) if each[1].metavar == "FILE"], ids=identify
)
def test_file_without_a_name(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, command: click.Command, option: click.Option
) -> None:
    """An empty name of a file is wrong, by flag or variable: or the system's authorities would be trusted silently."""
    (flag,), name = option.opts, str(command.name)
    by_flag = run_command(cli, name, flag, "")
    monkeypatch.setenv(str(option.envvar), "")
    by_variable = run_command(cli, name)
    for ended in (by_flag, by_variable):
        assert ended.code == USAGE
        assert f"'{flag}'" in ended.line
        assert ended.line.endswith("empty")


def test_commands_are_imported_when_they_run() -> None:
    """The help of the program names every command and imports none; a command imports no other."""
    program = """
import sys
from stentor_client.__main__ import cli
def imported(): return [name for name in sys.modules if "stentor_client" in name and "command" in name]
shown = cli.get_help(cli.make_context("stentor-client", ["send"]))
assert all(f"\\n  {name} " in shown for name in cli.list_commands(None)), shown
assert imported() == []
cli.get_command(None, "send")
assert imported() == ["stentor_client.send.command"]
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_interrupt_that_another_thread_receives() -> None:
    """Ctrl-C ends a command that waits for an answer, even if its signal does not interrupt the wait itself."""
    program = """
import signal, sys, threading
from stentor_client.__main__ import main
def interrupt():
    connecting.wait()
    threading.Event().wait(1)  # the main thread waits by then; if not, this passes without proving much
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)
    threading.Event().wait(60)
connecting = threading.Event()
threading.Thread(target=interrupt, daemon=True).start()
sys.addaudithook(lambda event, _: event == "socket.connect" and connecting.set())
main()
"""
    with swallowing() as (host, port):
        line = [sys.executable, "-c", program, "load", "--target", f"{host}:{port}", "--connect-timeout", "2m"]
        ended = subprocess.run(line, capture_output=True, timeout=50, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (130, b"", b"")
