"""The target: the address to connect to."""

import os
import re
from dataclasses import dataclass
from typing import Any

import click

from stentor_chassis.address import printable

MOST_PATH_BYTES = 107  # see unix(7)


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port, or the path of a Unix socket."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """Return it in the form that `parse` accepts."""
        if self.path:
            return f"unix:{self.path}"
        return printable((self.host, self.port))

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Parse `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; raise `ValueError` otherwise."""
        if text.startswith("unix:") and len(text) > len("unix:"):
            path = text.removeprefix("unix:")
            if len(os.fsencode(path)) > MOST_PATH_BYTES:
                raise ValueError(f"the path of a Unix socket has at most {MOST_PATH_BYTES} bytes: {path!r}")
            return cls("", 0, path)
        match = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]{1,5})", text)
        if not match:
            raise ValueError(f"{text!r} is not HOST:PORT, [IPV6]:PORT or unix:PATH")
        if not 0 < int(match[3]) < 1 << 16:
            raise ValueError(f"{text!r} has no port from 1 to 65535")
        return cls(match[1] or match[2], int(match[3]))


class TargetType(click.ParamType[Target]):
    """A target on the command line."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Parse, or fail with the forms that a target can have."""
        if isinstance(value, Target):
            return value
        try:
            return Target.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
