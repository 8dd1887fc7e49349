"""Ends that a person is told about in one line, and the exit codes they have."""

import signal

OK = 0
INTERNAL_ERROR = 1
USAGE = 2
COULD_NOT_START = 3
INTERRUPTED = 130
READER_GONE = 128 + signal.SIGPIPE  # what a shell says of a filter that nobody reads from any more


class Failure(Exception):  # noqa: N818 - it is the end of a command, not an error in the program
    """Ends the command with `code`, and `message` as the one line on standard error; an empty one says nothing."""

    def __init__(self, code: int, message: str) -> None:
        """`message` says what is wrong and, where it is not plain, what to do."""
        super().__init__(message)
        self.code = code
        self.message = message
