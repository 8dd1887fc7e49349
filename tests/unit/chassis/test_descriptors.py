"""Plain file descriptors."""

import os
import subprocess
import sys
import threading

import pytest

from stentor_chassis.descriptors import write_all

SCRIPT = """
import os, sys
from stentor_chassis.descriptors import fill_standard
fill_standard()
null = os.stat(os.devnull)
assert all(os.get_inheritable(fd) for fd in (0, 1, 2))
where = {fd: os.path.sameopenfile(fd, os.open(os.devnull, os.O_RDWR)) for fd in (0, 1, 2)}
os.write(int(sys.argv[1]), repr([fd for fd in where if where[fd]]).encode())
"""


@pytest.mark.parametrize("closed", [[], [0], [1], [2], [0, 1, 2]], ids=str)
def test_closed_standard_descriptors_are_filled(closed: list[int]) -> None:
    """Standard descriptors that are closed become the null device, also for children; the others stay as they are."""
    read, write = os.pipe()
    closing = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd in closed)
    shell = f'exec "$@" {closing}'
    with os.fdopen(read, "rb") as told:
        child = subprocess.run(
            ["/bin/sh", "-c", shell, "sh", sys.executable, "-c", SCRIPT, str(write)],
            pass_fds=[write],
            stdin=subprocess.PIPE,
            capture_output=True,
            check=False,
        )
        os.close(write)
        assert child.stderr == b""
        assert repr(closed).encode() == told.read()


def test_writes_all_to_a_slow_reader() -> None:
    """All is written, in order, though the pipe is non-blocking and the reader slow."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    data = bytes(range(256)) * 4000
    heard = bytearray()

    def listen() -> None:
        with os.fdopen(read, "rb", buffering=0) as pipe:
            while part := pipe.read(4096):
                heard.extend(part)

    reader = threading.Thread(target=listen)
    reader.start()
    write_all(write, data)
    os.close(write)
    reader.join()
    assert data == heard
