"""Where log lines go."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from stentor_chassis.logs.sink import BATCH_BYTES, Sink
from waiting import until

LIMIT = 50
LINE = b"a line of a log\n"
AT_ONCE = 30.0  # seconds; much longer than anything that does not wait takes


@dataclass
class Pipe:
    """A pipe that holds nothing until it is read."""

    read: int
    write: int
    heard: bytearray = field(default_factory=bytearray)

    def fill(self) -> int:
        """Fill it, so that the next write waits; return with how much."""
        os.set_blocking(self.write, False)
        filled = 0
        try:
            while True:
                filled += os.write(self.write, b"#" * 4096)
        except BlockingIOError:
            os.set_blocking(self.write, True)
        return filled

    def hear(self) -> None:
        """Take what is in it."""
        os.set_blocking(self.read, False)
        try:
            while part := os.read(self.read, 1 << 20):
                self.heard += part
        except BlockingIOError:
            pass

    def close_reading(self) -> None:
        """Go away as a reader."""
        os.close(self.read)
        self.read = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe; whoever is blocked on it is let go in the end."""
    pipe = Pipe(*os.pipe())
    yield pipe
    if pipe.read != -1:
        os.close(pipe.read)
    os.close(pipe.write)


def test_batches_are_atomic_writes() -> None:
    """Each write holds whole lines, as many as a pipe takes in one piece: a longer line alone goes by itself."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        sink = Sink(ours.fileno())
        lines = [b"%d " % number * (1 + 7 * number % 300) + b"\n" for number in range(300)]
        lines.insert(150, b"long" * BATCH_BYTES + b"\n")
        for line in lines:
            sink.msg(line)
        heard: list[bytes] = []
        while sum(map(len, heard)) < sum(map(len, lines)):
            heard.append(theirs.recv(1 << 20))
        sink.flush(AT_ONCE)
        assert b"".join(lines) == b"".join(heard)
        assert all(write.endswith(b"\n") for write in heard)
        assert all(len(write) <= BATCH_BYTES or write == lines[150] for write in heard)
        assert len(heard) < len(lines)


def test_blocked_pipe_never_blocks_the_caller(pipe: Pipe) -> None:
    """While nobody reads, logging goes on at once; what the queue does not hold is counted and told."""
    filled = pipe.fill()
    told, waiting = [0], [0]
    sink = Sink(pipe.write, limit=LIMIT, dropped=told, waiting=waiting)
    logged = threading.Event()

    def log() -> None:
        for _ in range(20 * LIMIT):
            sink.msg(LINE)
        logged.set()

    threading.Thread(target=log, daemon=True).start()
    assert logged.wait(AT_ONCE)
    assert told[0] >= 20 * LIMIT - LIMIT - BATCH_BYTES // len(LINE)

    def all_accounted_for() -> bool:
        pipe.hear()
        return (len(pipe.heard) - filled) // len(LINE) + told[0] == 20 * LIMIT

    dropped = told[0]
    until(all_accounted_for, "every line to be written or counted")
    until(lambda: waiting == [0], "no line to wait")
    assert told == [dropped]


@pytest.mark.parametrize("full", [False, True], ids=["closed", "full"])
def test_lines_that_cannot_be_written_are_counted(pipe: Pipe, full: bool) -> None:  # noqa: FBT001
    """A closed pipe or a full disk costs every line, each counted once, and does not end the sink."""
    pipe.close_reading()
    fd = os.open("/dev/full", os.O_WRONLY) if full else pipe.write
    told = [0]
    sink = Sink(fd, dropped=told)
    for _ in range(3):
        for _ in range(100):
            sink.msg(LINE)
        sink.flush(AT_ONCE)
    assert told == [300]
    if full:
        os.close(fd)


def test_waiting_lines_are_told(pipe: Pipe) -> None:
    """How many lines would be lost with the process is known outside of it: those queued and those being written.

    A flush of a blocked sink ends at its time-out, and counts those lines as dropped, once.
    """
    pipe.fill()
    told, waiting = [0], [0]
    sink = Sink(pipe.write, limit=LIMIT, dropped=told, waiting=waiting)
    for sent in range(1, LIMIT * 2 + 1):
        sink.msg(LINE)
        assert waiting[0] + told[0] == sent
    assert LIMIT <= waiting[0] <= LIMIT + BATCH_BYTES // len(LINE)
    began = time.monotonic()
    sink.flush(0.05)
    assert 0.05 <= time.monotonic() - began < AT_ONCE
    assert (told[0], waiting) == (LIMIT * 2, [0])
    pipe.close_reading()  # ends the write that was blocked
    sink.msg(LINE)
    until(lambda: waiting == [0], "another line to be tried")
    assert told[0] == LIMIT * 2 + 1
