"""Figures as people read them."""

import math


def time_text(seconds: float | None) -> str:
    """Return a duration with three figures and the unit that suits it."""
    if seconds is None or math.isnan(seconds):
        return "-"
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale * 0.9995 or unit == "µs":
            value = seconds / scale
            return f"{value:.{max(0, 2 - int(math.log10(value))) if value >= 1 else 2}f} {unit}"
    raise AssertionError  # the last unit takes all


def rate_text(per_second: float) -> str:
    """Return a rate, or any number, with as many figures as matter."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def bytes_text(nbytes: float) -> str:
    """Return a number of bytes with the unit that suits it."""
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if nbytes >= scale:
            return f"{nbytes / scale:.3g} {unit}"
    return f"{nbytes:.0f} B"
