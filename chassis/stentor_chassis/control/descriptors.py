"""Plain file descriptors, as they are handed to a process."""

import contextlib
import os
import select


def fill_standard() -> None:
    """Put the null device where standard input, output or error is closed: else a socket would take its number.

    It is opened for reading, so that writing to what was closed still fails, and is noticed.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # Takes the lowest free number, which is `fd`; workers must inherit it, or their logs would go astray.
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`, waiting where a sharer of the pipe made it non-blocking; raise `OSError` as `write` does."""
    view = memoryview(data)
    while view:
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(fd, view) :]
            continue
        select.select([], [fd], [])
