"""Plain file descriptors."""

import contextlib
import os
import select


def fill_standard() -> None:
    """Open the null device in place of closed standard streams, so that no socket gets their numbers.

    It is opened for reading only, so that writing still fails and is noticed.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            # open() returns the lowest free number, `fd`. Workers inherit it, so that none of their sockets gets it.
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of `data`, even if another process has made the pipe non-blocking; raise `OSError` on failure."""
    view = memoryview(data)
    while view:
        with contextlib.suppress(BlockingIOError):
            view = view[os.write(fd, view) :]
            continue
        select.select([], [fd], [])
