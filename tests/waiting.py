"""Waiting for conditions."""

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 60.0  # nothing in a test takes this long, on a busy machine either

T = TypeVar("T")


def until(condition: Callable[[], T | None], description: str, seconds: float = SECONDS) -> T:
    """Return the first true result of `condition`; fail with the last result, or error, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        last: object = None
        try:
            if result := condition():
                return result
            last = result
        except (OSError, AssertionError, LookupError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {description}; last: {last!r}")
        time.sleep(0.02)
