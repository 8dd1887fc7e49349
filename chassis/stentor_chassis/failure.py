"""Errors that end a command with one line for a person, and exit codes."""

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
