"""Shares of a whole, as options."""

import re
from typing import Any

import click


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
