"""Errors that end a command with one line for a person, and exit codes."""

import signal

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
