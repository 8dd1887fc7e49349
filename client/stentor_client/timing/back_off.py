"""How long to wait before connecting again."""

import random

from stentor_chassis.back_off import exponential_back_off

FIRST_SECONDS = 0.1


def back_off_seconds(failures: int, most_seconds: float) -> float:
    """Return a random time that grows with the failures in a row, so that many clients do not return at once.

    It is less than 0.1 s after the first failure, below twice as much after each further one, and never above
    `most_seconds`; 0 if nothing failed.
    """
    if not failures:
        return 0.0
    longest = exponential_back_off(failures, FIRST_SECONDS, most_seconds)
    return random.uniform(0, longest)  # noqa: S311 - spreads load, guards nothing
