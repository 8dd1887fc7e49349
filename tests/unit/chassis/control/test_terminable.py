"""Signals during the start."""

import signal
import subprocess
import sys

import pytest

from stentor_chassis.failure import INTERRUPTED

PROGRAMS = pytest.mark.parametrize("module", ["stentor_server.__main__", "stentor_client.__main__"])


def _run(script: str) -> tuple[int, bytes, bytes]:
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, check=False, capture_output=True)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(("shown", "code"), [(1, 128 + signal.SIGTERM), (2, -signal.SIGTERM)])
def test_first_process_can_be_terminated(shown: int, code: int) -> None:
    """SIGTERM ends process 1 with an exit code, and any other process as usual."""
    script = f"""
import os, signal
real = os.getpid()
os.getpid = lambda: {shown}
import stentor_chassis.control.terminable
os.kill(real, signal.SIGTERM)
"""
    assert _run(script) == (code, b"", b"")


@PROGRAMS
@pytest.mark.parametrize(("before", "code"), [("SIG_DFL", -signal.SIGHUP), ("SIG_IGN", 0)])
def test_hangup_is_ignored(module: str, before: str, code: int) -> None:
    """SIGHUP does not end a process that starts; later it does, unless the parent process ignored it."""
    script = f"""
import os, signal
signal.signal(signal.SIGHUP, signal.{before})
import {module}
os.kill(os.getpid(), signal.SIGHUP)
print("on", flush=True)
import stentor_chassis.control.terminable
stentor_chassis.control.terminable.restore_sighup()
os.kill(os.getpid(), signal.SIGHUP)
"""
    assert _run(script)[:2] == (code, b"on\n")


@PROGRAMS
@pytest.mark.parametrize(
    ("before", "ended"), [("default_int_handler", (INTERRUPTED, b"", b"")), ("SIG_IGN", (0, b"on\n", b""))]
)
def test_interrupt_while_importing(module: str, before: str, ended: tuple[int, bytes, bytes]) -> None:
    """Ctrl-C during imports ends the process without a message, unless the parent process ignored it."""
    script = f"""
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
    assert ended == _run(script)


@PROGRAMS
def test_interrupt_after_importing(module: str) -> None:
    """After the imports, Ctrl-C raises an exception again."""
    script = f"import signal, {module}; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    assert _run(script) == (0, b"", b"")
