"""Option values that are quantities: durations, sizes and shares."""

import re
from typing import Any

import click

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHORTEST_SECONDS = 0.000001  # the resolution of clocks
_LONGEST_SECONDS = 366 * 86400.0
_SIZE_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Duration(click.ParamType[float]):
    """A length of time such as `250ms`, `10s`, `2m`; the value is in seconds."""

    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        """`zero` allows `0`, for time-outs that can be disabled."""
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with the expected form."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)", value)
        seconds = float(match[1]) * _DURATION_UNITS[match[2]] if match else 0.0
        zero = self._zero and not seconds and (match or value == "0")
        if not zero and not _SHORTEST_SECONDS <= seconds <= _LONGEST_SECONDS:
            self.fail(f"{value!r} is not a duration such as 250ms, 10s or 2m, up to a year", param, ctx)
        return seconds


class Size(click.ParamType[int]):
    """A number of bytes such as `64`, `64KiB`, `1MiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with the expected form."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,12})(|B|KiB|MiB|GiB)", value)
        if not match:
            self.fail(f"{value!r} is not a size such as 64, 64KiB or 1MiB", param, ctx)
        return int(match[1]) * _SIZE_UNITS[match[2]]


class Share(click.ParamType[float]):
    """A share such as `0.1%` or `0.001`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is accepted."""
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(%?)", str(value))
        share = float(match[1]) / (100 if match[2] else 1) if match else 2.0
        if share > 1:
            self.fail(f"{value!r} is not a share such as 0.1% or 0.001", param, ctx)
        return share
