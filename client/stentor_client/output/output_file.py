"""A file that an option names, for what a command finds out."""

import os

from stentor_chassis.control.descriptors import write_all
from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, Failure
from stentor_chassis.options.option import wrong_value


class OutputFile:
    """Seen to be writable before the work begins; what it holds stays until there is something new."""

    def __init__(self, option: str, path: str) -> None:
        """Take `path`, which the option `option` of the command that runs names.

        Raises:
            click.BadParameter: where it cannot be written.

        """
        self._path = path
        self._fd: int | None = None  # of a pipe or a device, whose reader would take a second opening for another
        try:
            if os.path.exists(path) and not os.path.isfile(path):
                self._fd = os.open(path, os.O_WRONLY)
            else:
                _try(path)
        except OSError as error:
            raise wrong_value(option, f"cannot write {path}: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Write `data` in place of what is there; once.

        Raises:
            Failure: where it cannot be written after all, or nobody reads it any more, which needs no words.

        """
        try:
            fd = self._fd
            if fd is None:
                fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            try:
                write_all(fd, data)
            finally:
                os.close(fd)
        except BrokenPipeError as error:
            raise Failure(READER_GONE, "") from error
        except OSError as error:
            raise Failure(INTERNAL_ERROR, f"cannot write {self._path}: {error.strerror}") from error


def _try(path: str) -> None:
    """Open a regular file for writing, and leave all as it was."""
    new = not os.path.exists(path)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
    if new:
        os.unlink(os.path.realpath(path))  # not the link to it
