"""Ending while starting."""

import signal
import subprocess
import sys

import pytest

TERMINATED = """
import os, signal
real = os.getpid()
os.getpid = lambda: {shown}
import stentor_chassis.terminable
os.kill(real, signal.SIGTERM)
"""


@pytest.mark.parametrize(("shown", "code"), [(1, 128 + signal.SIGTERM), (2, -signal.SIGTERM)])
def test_first_process_can_be_terminated(shown: int, code: int) -> None:
    """Process 1 ends by its own hand, and any other as the kernel has it: neither lives on."""
    command = [sys.executable, "-c", TERMINATED.format(shown=shown)]
    assert subprocess.run(command, timeout=30, check=False).returncode == code
