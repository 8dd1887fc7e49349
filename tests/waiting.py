"""Waiting for conditions."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T | None], description: str, seconds: float = 20.0) -> T:
    """Return the first true result of `condition`; fail with the last result, or error, after `seconds`."""
    deadline = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < deadline:
        try:
            result = condition()
        except (OSError, AssertionError, LookupError) as error:
            last = error
        else:
            if result:
                return result
            last = result
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {description}; last: {last!r}")
