"""How long to wait before connecting again."""

import random

FIRST_SECONDS = 0.1


def back_off_seconds(failures: int, max_seconds: float) -> float:
    """Return a random time that grows with the failures in a row, so that many clients do not reconnect at once.

    It is up to 0.1 s after the first failure, up to twice as long after each further one, and at most `max_seconds`; 0
    without a failure.
    """
    if not failures:
        return 0.0
    longest = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 10), max_seconds)
    return random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
