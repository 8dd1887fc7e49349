"""What the kernel knows of a process: processor time, memory, descriptors, ports, children."""

import os
import resource
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.workload import KIB

NANOSECONDS = 10**9
END_SECONDS = 15.0
LISTENING = "0A"  # TCP_LISTEN, as proc(5) writes it


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, all threads included, to the nanosecond.

    /proc/PID/stat rounds to 10 ms. The clock's number is built as in clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def waited_seconds(pid: int) -> float:
    """Return how long the main thread was runnable without a core, from schedstat in proc(5)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / NANOSECONDS


def anonymous_bytes(pid: int) -> int:
    """Return the private memory of a process: heap and stacks, without files and shared memory."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) * KIB for line in status.splitlines() if line.startswith("RssAnon:"))


def open_descriptors(pid: int) -> int:
    """Return the number of open descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def listening_ports(pid: int) -> set[int]:
    """Return the TCP ports over IPv4 on which a process listens.

    A server that binds port 0 need not print its port to be found.
    """
    descriptors = f"/proc/{pid}/fd"
    open_files = {os.readlink(f"{descriptors}/{number}") for number in os.listdir(descriptors)}
    ports = set()
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        next(table)
        for line in table:
            fields = line.split()
            if fields[3] != LISTENING:
                break  # listeners are first; there may be thousands of other connections
            if f"socket:[{fields[9]}]" in open_files:
                ports.add(int(fields[1].partition(":")[2], 16))
    return ports


def children(pid: int) -> tuple[int, ...]:
    """Return the running processes that the main thread of a process started."""
    return tuple(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())


def pin(pid: int, cores: Iterable[int]) -> None:
    """Let a process (0: this one) run on these cores only, or on any core if none of them is available."""
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(pid, set(cores) & usable or usable)


@contextmanager
def pinned(cores: Iterable[int]) -> Iterator[None]:
    """Let processes that are started in this block run on these cores only."""
    before = os.sched_getaffinity(0)
    pin(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit() -> int:
    """Let this process and its children open as many descriptors as allowed, and return that number."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return limit


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process, kill it if that does not help, and wait for its end."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
