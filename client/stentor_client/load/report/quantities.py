"""Figures as people read them."""

import math

_TIMES = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))
_LEAST_SHARE = 1e-6  # that has a figure of its own


def time_text(seconds: float | None) -> str:
    """Return a duration with three figures and the unit that suits it; `-` where there is none."""
    if seconds is None or math.isnan(seconds):
        return "-"
    unit, scale = next((each for each in _TIMES if seconds >= each[1] * 0.9995), _TIMES[-1])
    value = seconds / scale
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def clock_text(seconds: float) -> str:
    """Return a duration to the second, as a clock shows it."""
    minutes, rest = divmod(math.ceil(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rate_text(per_second: float) -> str:
    """Return a rate, or any number, with as many figures as matter."""
    return f"{per_second:,.0f}" if per_second >= 99.95 else f"{per_second:.3g}"


def bytes_text(nbytes: float) -> str:
    """Return a number of bytes with the unit that suits it."""
    unit, scale = next((each for each in _SIZES if nbytes >= each[1]), ("B", 1))
    return f"{rate_text(nbytes / scale)} {unit}"


def share_text(share: float) -> str:
    """Return a part of a whole, from 0 to 1, in per cent; it is 0% only where it is nothing."""
    if 0 < share < _LEAST_SHARE:
        return "<0.0001%"
    return f"{share * 100:.4f}".rstrip("0").rstrip(".") + "%"


def count_text(count: int, noun: str) -> str:
    """Return so many of something, whose plural is regular."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
