"""Pauses between attempts."""


def exponential_back_off(failures: int, first_seconds: float, most_seconds: float) -> float:
    """Return the pause after `failures` in a row: it starts at `first_seconds` and doubles up to `most_seconds`."""
    return min(first_seconds * 2.0 ** min(failures - 1, 100), most_seconds)
