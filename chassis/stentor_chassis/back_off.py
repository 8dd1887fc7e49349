"""How long to pause before the next attempt."""


def exponential_back_off(failures: int, first_seconds: float, most_seconds: float) -> float:
    """Return the pause after so many failures in a row: from `first_seconds` it doubles up to `most_seconds`."""
    return min(first_seconds * 2.0 ** min(failures - 1, 100), most_seconds)
