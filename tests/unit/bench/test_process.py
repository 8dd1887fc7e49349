"""What the kernel knows of a process."""

import os
import subprocess
import sys
import time

import pytest

from bench import process
from bench.process import end, pinned
from waiting import until

SPIN = [sys.executable, "-c", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); exec('while True: pass')"]


def test_processor_time() -> None:
    """It is that of this process, to the microsecond."""
    before = time.process_time()
    while time.process_time() < before + 0.02:
        pass
    assert before + 0.02 <= process.cpu_seconds(os.getpid()) <= time.process_time()


def test_pinned_processes_wait_for_their_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes run on the core that they are given, or on any if there is no such core; the stubborn are killed."""
    before, cores = os.sched_getaffinity(0), {max(os.sched_getaffinity(0))}
    monkeypatch.setattr(process, "END_SECONDS", 0.1)
    with pinned(cores), subprocess.Popen(SPIN) as one, subprocess.Popen(SPIN) as other:
        assert os.sched_getaffinity(one.pid) == cores
        until(lambda: process.waited_seconds(one.pid) and process.waited_seconds(other.pid), "both to wait")
        end(one)
        end(other)
    with pinned([4096]):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
