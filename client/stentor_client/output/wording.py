"""Numbers, sizes and times in words."""

import math
from datetime import datetime
from typing import Final

_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
_LONG_TIMES = ((3600, "h"), (60, "min"), (1, "s"))
_SHORT_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
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


def share(value: float) -> str:
    """Return a share, from 0 to 1, in percent; only nothing is 0 %, and only all of it 100 %."""
    if 0 < value < 1e-6:
        return "<0.0001 %"
    if 0.999999 < value < 1:
        return ">99.9999 %"
    return f"{value * 100:{'.3g' if value < 0.99 else '.6g'}} %"


def rate(per_second: float) -> str:
    """Return a rate, or any number, with three figures or up to the decimal point."""
    return f"{per_second:,.0f}" if per_second >= 99.95 else f"{per_second:.3g}"


def size(nbytes: int) -> str:
    """Return a number of bytes in the largest unit that divides it."""
    scale, unit = next((each for each in _SIZES if nbytes and nbytes % each[0] == 0), _SIZES[-1])
    return f"{nbytes // scale} {unit}"


def rounded_size(nbytes: float) -> str:
    """Return a number of bytes with three figures and a suitable unit."""
    scale, unit = next((each for each in _SIZES if nbytes >= each[0]), _SIZES[-1])
    return f"{rate(nbytes / scale)} {unit}"


def duration(seconds: float) -> str:
    """Return a length of time in the largest unit that divides it, in seconds or longer."""
    scale, unit = next((each for each in _LONG_TIMES if seconds and seconds % each[0] == 0), _LONG_TIMES[-1])
    return f"{seconds / scale:g} {unit}"


def elapsed(seconds: float | None) -> str:
    """Return how long something lasted, with three figures and a suitable unit; `-` if unknown."""
    if seconds is None or math.isnan(seconds):
        return "-"
    scale, unit = next((each for each in _SHORT_TIMES if seconds >= each[0] * 0.9995), _SHORT_TIMES[-1])
    value = seconds / scale
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f} {unit}"


def milliseconds(nanoseconds: int) -> str:
    """Return how long something lasted, to the microsecond."""
    return f"{nanoseconds / 1e6:,.3f} ms"


def timestamp(moment: datetime) -> str:
    """Return a moment in UTC as ISO 8601."""
    return moment.isoformat().replace("+00:00", "Z")


def listed(words: list[str]) -> str:
    """Return words as a sentence lists them."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
