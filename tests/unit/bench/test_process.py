"""What the kernel knows of a process."""

import mmap
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from bench import process
from bench.process import (
    anonymous_bytes,
    children,
    cpu_seconds,
    end,
    open_descriptors,
    pinned,
    raise_descriptor_limit,
    waited_seconds,
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing."""
    with subprocess.Popen(["sleep", "60"]) as sleeping:
        yield sleeping
        sleeping.kill()


def test_processor_time() -> None:
    """It is that of this process, to the microsecond."""
    before = time.process_time()
    while time.process_time() < before + 0.02:
        pass
    assert before + 0.02 <= cpu_seconds(os.getpid()) <= time.process_time()


def test_processor_time_of_nobody(sleeper: subprocess.Popen[bytes]) -> None:
    """A process that is gone has none."""
    end(sleeper)
    with pytest.raises(OSError, match="Invalid argument"):
        cpu_seconds(sleeper.pid)


def test_waiting() -> None:
    """Two busy processes on one core wait for each other."""
    core = [min(os.sched_getaffinity(0))]
    spin = [sys.executable, "-c", "while True: pass"]
    with pinned(core), subprocess.Popen(spin) as one, subprocess.Popen(spin) as other:
        while waited_seconds(one.pid) < 0.02 or waited_seconds(other.pid) < 0.02:
            time.sleep(0.01)
        one.kill()
        other.kill()


def test_memory() -> None:
    """What is allocated, and touched, is counted."""
    before = anonymous_bytes(os.getpid())
    size = 32 << 20
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as kept:  # the heap may have room already
        kept.write(bytes(1) * size)
        assert anonymous_bytes(os.getpid()) - before == pytest.approx(size, rel=0.1)


def test_descriptors() -> None:
    """Each open file is one."""
    before = open_descriptors(os.getpid())
    with open(os.devnull):
        assert open_descriptors(os.getpid()) == before + 1


def test_children(sleeper: subprocess.Popen[bytes]) -> None:
    """Who was started is a child until it is gone."""
    assert sleeper.pid in children(os.getpid())
    end(sleeper)
    assert sleeper.pid not in children(os.getpid())


def test_pinned() -> None:
    """What is started meanwhile runs on that core, and this process where it did."""
    before = os.sched_getaffinity(0)
    core = max(before)
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    with pinned([core]):
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == f"[{core}]\n"
    assert os.sched_getaffinity(0) == before


def test_pinned_to_a_core_that_is_not_there() -> None:
    """Then any will do."""
    with pinned([4096]):
        assert os.sched_getaffinity(0)


def test_a_stubborn_process_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM is tried first."""
    monkeypatch.setattr(process, "END_SECONDS", 0.2)
    code = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        stubborn.stdout.readline()
        end(stubborn)
    assert stubborn.returncode == -signal.SIGKILL


def test_descriptor_limit() -> None:
    """It is raised as far as it goes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        assert raise_descriptor_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
