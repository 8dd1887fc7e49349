"""The command line of the client."""

import subprocess
import sys

import click
import pytest

from stentor_chassis.options.text import Path
from stentor_client.__main__ import cli
from unit.client.wire.naming import swallowing
from unit.ending import RunCommand, commands, identify


@pytest.mark.parametrize(("command", "option"), commands(cli), ids=identify)
def test_help_names_every_option(run_command: RunCommand, command: click.Command, option: click.Option) -> None:
    """The help of a command shows the flag, the variable and the meaning of every option."""
    help_text = " ".join(run_command(cli, str(command.name), "--help").out.split())
    assert option.opts[0] in help_text
    assert f"env var: {option.envvar}" in help_text
    assert option.help
    assert option.help in help_text
    # An empty name of a file is refused: otherwise the system's authorities would be trusted silently.
    assert option.metavar != "FILE" or isinstance(option.type, Path)


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
cli.get_command(None, "probe")
assert "aiohttp" not in sys.modules  # which takes longer to import than all the rest
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
