"""Numbers as people read them."""

import math

_TIMES = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))


def time_text(seconds: float | None) -> str:
    """Return a duration with three figures and a suitable unit; `-` if there is none."""
    if seconds is None or math.isnan(seconds):
        return "-"
    unit, scale = next((each for each in _TIMES if seconds >= each[1] * 0.9995), _TIMES[-1])
    value = seconds / scale
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def rate_text(per_second: float) -> str:
    """Return a rate, or any number, with three figures or up to the decimal point."""
    return f"{per_second:,.0f}" if per_second >= 99.95 else f"{per_second:.3g}"


def bytes_text(nbytes: float) -> str:
    """Return a number of bytes with a suitable unit."""
    unit, scale = next((each for each in _SIZES if nbytes >= each[1]), _SIZES[-1])
    return f"{rate_text(nbytes / scale)} {unit}"


def share_text(share: float) -> str:
    """Return a share, from 0 to 1, in per cent; only nothing is 0%."""
    return "<0.0001%" if 0 < share < 1e-6 else f"{share * 100:.4f}".rstrip("0").rstrip(".") + "%"


def count_text(count: int, noun: str) -> str:
    """Return a count with its noun, whose plural is regular."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
