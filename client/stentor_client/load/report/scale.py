"""Axes for times: where they begin and end, and what is written on them."""

import math
from collections.abc import Callable, Iterable

from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

WIDE = 20  # times the least: from here on a scale is logarithmic
MOST_TICKS = 9
MOST_STEPS = 6
_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_EVEN = (1, 2, 5)
_DECADES = range(-9, 7)


def time_scale(axis: Axis, seconds: Iterable[float], most_ticks: int = MOST_TICKS) -> None:
    """Scale a vertical axis for these times, in seconds: from 0, or logarithmic where they lie far apart."""
    values = [value for value in seconds if value > 0] or [1e-3]
    low, high = min(values), max(values)
    wide = high >= WIDE * low
    ticks = _logarithmic(low, high, most_ticks) if wide else even_ticks(high)
    unit = next((each for each in _UNITS if ticks[-1] >= each[1] * 0.999), _UNITS[-1])
    axis.axes.set_yscale("log" if wide else "linear")
    _set(axis, ticks, _own_unit if wide else lambda value: f"{value / unit[1]:g} {unit[0]}" if value else "0")
    axis.axes.set_ylim(ticks[0], ticks[-1])


def rate_scale(axis: Axis, rates: Iterable[float]) -> None:
    """Scale an axis for these rates, from 0, with the thousands set apart."""
    _set(axis, even_ticks(max(rates, default=0.0) or 1.0), lambda value: f"{value:,.10g}")


def even_ticks(most: float) -> list[float]:
    """Return round figures from 0 to the first that is not below `most`."""
    steps = (factor * 10.0**power for power in _DECADES for factor in _EVEN)
    step = next(each for each in steps if most <= MOST_STEPS * each)
    return [step * number for number in range(math.ceil(most / step - 1e-9) + 1)]


def _logarithmic(low: float, high: float, most_ticks: int) -> list[float]:
    for factors in ((1, 2, 5), (1, 3), (1,)):
        marks = [factor * 10.0**power for power in _DECADES for factor in factors]
        begin = max(mark for mark in marks if mark <= low)
        end = min(mark for mark in marks if mark >= high)
        ticks = [mark for mark in marks if begin <= mark <= end]
        if len(ticks) <= most_ticks:
            break
    return ticks


def _own_unit(seconds: float) -> str:
    unit, scale = next((each for each in _UNITS if seconds >= each[1] * 0.999), _UNITS[-1])
    return f"{seconds / scale:g} {unit}"


def _set(axis: Axis, ticks: list[float], text: Callable[[float], str]) -> None:
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
