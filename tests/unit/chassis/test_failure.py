"""Errors that end a command."""

from stentor_chassis.failure import COULD_NOT_START, INTERNAL_ERROR, INTERRUPTED, OK, READER_GONE, USAGE, Failure


def test_exit_codes() -> None:
    """The exit codes are the documented ones: outside programs depend on them."""
    assert (OK, INTERNAL_ERROR, USAGE, COULD_NOT_START, INTERRUPTED, READER_GONE) == (0, 1, 2, 3, 130, 141)
    assert str(Failure(USAGE, "the port is taken")) == "the port is taken"
