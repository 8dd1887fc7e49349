"""Ends that a person is told about."""

from stentor_chassis.failure import COULD_NOT_START, INTERNAL_ERROR, INTERRUPTED, OK, READER_GONE, USAGE, Failure


def test_carries_code_and_message() -> None:
    """A failure knows the exit code and the line for the person, and prints as that line."""
    failure = Failure(COULD_NOT_START, "the port is taken")
    assert (failure.code, failure.message) == (COULD_NOT_START, "the port is taken")
    assert str(failure) == "the port is taken"


def test_exit_codes() -> None:
    """The exit codes are the documented ones: outside programs depend on them."""
    assert (OK, INTERNAL_ERROR, USAGE, COULD_NOT_START, INTERRUPTED, READER_GONE) == (0, 1, 2, 3, 130, 141)
