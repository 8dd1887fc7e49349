"""Sizes and times in words."""

_SIZES = ((1 << 20, "MiB"), (1 << 10, "KiB"))
_TIMES = ((3600, "h"), (60, "min"))


def size(nbytes: int) -> str:
    """Return a number of bytes in the largest unit that it is a whole number of."""
    for unit, name in _SIZES:
        if nbytes and nbytes % unit == 0:
            return f"{nbytes // unit} {name}"
    return f"{nbytes} B"


def duration(seconds: float) -> str:
    """Return a length of time in the largest unit that it is a whole number of, at least in seconds."""
    for unit, name in _TIMES:
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def elapsed(seconds: float) -> str:
    """Return how long something took, to two or three figures."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def listed(words: list[str]) -> str:
    """Return words as a sentence lists them."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
