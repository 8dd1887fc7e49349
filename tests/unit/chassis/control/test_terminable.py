"""Signals during the start."""

import signal
import subprocess
import sys

import pytest

from stentor_chassis.failure import INTERRUPTED

TERMINATED = """
import os, signal
real = os.getpid()
os.getpid = lambda: {shown}
import stentor_chassis.control.terminable
os.kill(real, signal.SIGTERM)
"""


@pytest.mark.parametrize(("shown", "code"), [(1, 128 + signal.SIGTERM), (2, -signal.SIGTERM)])
def test_first_process_can_be_terminated(shown: int, code: int) -> None:
    """SIGTERM ends process 1 with an exit code, and any other process as usual."""
    command = [sys.executable, "-c", TERMINATED.format(shown=shown)]
    assert subprocess.run(command, timeout=30, check=False).returncode == code


HUNG_UP = """
import os, signal
signal.signal(signal.SIGHUP, signal.{before})
import {module}
os.kill(os.getpid(), signal.SIGHUP)
print("on", flush=True)
import stentor_chassis.control.terminable
stentor_chassis.control.terminable.restore_sighup()
os.kill(os.getpid(), signal.SIGHUP)
"""


@pytest.mark.parametrize(
    "module", ["stentor_chassis.control.terminable", "stentor_server.__main__", "stentor_client.__main__"]
)
@pytest.mark.parametrize(("before", "code"), [("SIG_DFL", -signal.SIGHUP), ("SIG_IGN", 0)])
def test_hangup_is_ignored(module: str, before: str, code: int) -> None:
    """SIGHUP does not end a process that starts; later it does, unless the parent process ignored it."""
    command = [sys.executable, "-c", HUNG_UP.format(before=before, module=module)]
    ended = subprocess.run(command, timeout=30, check=False, stdout=subprocess.PIPE)
    assert (ended.returncode, ended.stdout) == (code, b"on\n")


INTERRUPTED_EARLY = """
import importlib, os, signal, sys
signal.signal(signal.SIGINT, signal.{before})

class Interrupts:
    def find_spec(self, name, *_):
        if name == "stentor_chassis.options.command_line":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupts())
importlib.import_module("{module}")
print("on", flush=True)
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize("module", ["stentor_server.__main__", "stentor_client.__main__"])
@pytest.mark.parametrize(
    ("before", "code", "said"),
    [("default_int_handler", INTERRUPTED, b""), ("SIG_IGN", 0, b"on\n")],
)
def test_interrupt_while_importing(module: str, before: str, code: int, said: bytes) -> None:
    """Ctrl-C during imports ends the process without a message, unless the parent process ignored it."""
    command = [sys.executable, "-c", INTERRUPTED_EARLY.format(before=before, module=module)]
    ended = subprocess.run(command, timeout=30, check=False, capture_output=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, said, b"")


@pytest.mark.parametrize("module", ["stentor_server.__main__", "stentor_client.__main__"])
def test_interrupt_after_importing(module: str) -> None:
    """After the imports, Ctrl-C raises an exception again."""
    program = f"import signal, {module}; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)
