"""Errors that end a command with one line for a person, and exit codes."""

import errno
import os
import signal
import sys

from stentor_chassis.escaping import escaped

OK = 0
INTERNAL_ERROR = 1
USAGE = 2
COULD_NOT_START = 3
INTERRUPTED = 130
READER_GONE = 128 + signal.SIGPIPE  # as a shell reports a filter that SIGPIPE ended
_REMEDIES = {
    errno.EADDRINUSE: "; stop the program that uses it, or choose another port",
    errno.EADDRNOTAVAIL: "; no interface of this machine has it",
    errno.EACCES: "; ports below 1024 need root or the capability NET_BIND_SERVICE",
    errno.EMFILE: "; raise the file-descriptor limit (ulimit -n)",
    errno.EAGAIN: "; raise the limit of processes (ulimit -u, or pids in a container)",
}
NO_MEMORY = "there is not enough memory"


class Failure(Exception):  # noqa: N818 - not an error in the program
    """Ends the command with exit code `code` and the line `message` on standard error; no line if it is empty."""

    def __init__(self, code: int, message: str) -> None:
        """`message` says what is wrong and, unless that is obvious, what to do."""
        super().__init__(message)
        self.code = code
        self.message = message


def report(message: str) -> None:
    """Print one line on standard error, escaped; if that fails, only the exit code reports the error."""
    if sys.stderr is None:  # closed when the process started; print() would use standard output instead
        return
    try:
        print(escaped(message), file=sys.stderr)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # otherwise flushing it at exit would fail again


def shortage(number: int | None) -> str:
    """Return in words, for an error number, why a port or a process cannot be had, and what to do about it."""
    return os.strerror(number or 0) + _REMEDIES.get(number or 0, "")
