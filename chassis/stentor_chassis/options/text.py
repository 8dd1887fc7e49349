"""Option values that are plain text: names, and paths of files."""

import os
import re
from typing import Any

import click


class Listed(click.ParamType[str]):
    """A value of an option that may be repeated; in its variable, values are separated by spaces or commas."""

    def split_envvar_value(self, rv: str) -> list[str]:
        """Split the value of the variable."""
        return rv.replace(",", " ").split()


class HostName(Listed):
    """A host name; the value is in lower case, and without the final dot of a fully qualified name."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept the name, or fail with the expected form."""
        if not re.fullmatch(r"[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*\.?", value):
            self.fail(f"{value!r} is not a host name such as server or stentor.example.org", param, ctx)
        return str(value).lower().removesuffix(".")


class Text(click.ParamType[str]):
    """Any text except an empty one, which would look like a missing option."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept the text, or fail if it is empty."""
        if not value:
            self.fail("it is empty", param, ctx)
        return str(value)


class Path(Text):
    """The path of a file, of any kind."""

    empty_variable_is_wrong = True


class SocketPath(Path):
    """The path of a Unix socket, also in the form in which addresses are printed: `unix:/run/stentor.sock`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept the path, or fail if it is empty."""
        return super().convert(value.removeprefix("unix:"), param, ctx)


class File(Path):
    """The path of a regular file, which can be read more than once; it need not exist yet."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Accept the path, or fail if it is another kind of file: reading a pipe could block forever."""
        path = super().convert(value, param, ctx)
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            self.fail(f"{path!r} is not a regular file", param, ctx)
        return path


class FileMode(click.ParamType[int]):
    """The permissions of a file, in octal."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with the expected form; without the leading 0 it could be a decimal number."""
        if isinstance(value, int):
            return value
        if not re.fullmatch(r"0[0-7]{3}", value):
            self.fail(f"{value!r} is not an octal file mode such as 0660", param, ctx)
        return int(value, 8)
