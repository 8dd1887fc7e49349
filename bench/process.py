"""What the kernel knows of a process: processor time, memory, descriptors, children."""

import os
import resource
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

KIB = 1024
NANOSECONDS = 10**9
END_SECONDS = 15.0


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, with all its threads, to the nanosecond.

    It is the sum of utime and stime of /proc/PID/stat, which rounds to 10 ms. The clock's number is made as
    clock_getcpuclockid(3) makes it.
    """
    return time.clock_gettime((~pid << 3) | 2)


def waited_seconds(pid: int) -> float:
    """Return how long the main thread of a process could have run and had no core, as proc(5) has it in schedstat."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / NANOSECONDS


def anonymous_bytes(pid: int) -> int:
    """Return the memory that is a process's own: heap and stacks, no files and nothing shared."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) * KIB for line in status.splitlines() if line.startswith("RssAnon:"))


def open_descriptors(pid: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid: int) -> list[int]:
    """Return the processes that the main thread of a process started, and that are not gone."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Let what is started meanwhile run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(cores) & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit() -> int:
    """Let this process, and what it starts, open as many descriptors as allowed; return how many that is."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process by SIGTERM, or by SIGKILL where that does not help; return when it is gone."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
