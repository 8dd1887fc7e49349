"""Numbers, sizes and times in words."""

from typing import Final

_SIZES = ((1 << 20, "MiB"), (1 << 10, "KiB"))
_TIMES = ((3600, "h"), (60, "min"))
_LEAST_PERCENT: Final = 0.001  # smaller ones have no figure of their own
_WHOLE_PERCENT: Final = 99.95  # larger ones have no decimals


def number(value: float, sign: str = "") -> str:
    """Return a number with thousands separated; `sign` is `+` to mark positive ones as well."""
    return f"{int(value):{sign},}" if value == int(value) else f"{value:{sign},.3f}"


def counted(count: float, noun: str) -> str:
    """Return a number of things; the plural of `noun` is regular."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def percent(value: float) -> str:
    """Return a change in percent, with its sign."""
    if abs(value) < _LEAST_PERCENT:
        return f"under {_LEAST_PERCENT} %"
    return f"{value:+,.0f} %" if abs(value) >= _WHOLE_PERCENT else f"{value:+.3g} %"


def size(nbytes: int) -> str:
    """Return a number of bytes in the largest unit that divides it."""
    for unit, name in _SIZES:
        if nbytes and nbytes % unit == 0:
            return f"{nbytes // unit} {name}"
    return f"{nbytes} B"


def duration(seconds: float) -> str:
    """Return a length of time in the largest unit that divides it, in seconds or longer."""
    for unit, name in _TIMES:
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"


def elapsed(seconds: float) -> str:
    """Return how long something took, to two or three figures."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def milliseconds(nanoseconds: int) -> str:
    """Return how long something took, to the microsecond."""
    return f"{nanoseconds / 1e6:,.3f} ms"


def listed(words: list[str]) -> str:
    """Return words as a sentence lists them."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
