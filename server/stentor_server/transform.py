"""What the server does to the bytes, in place."""

from collections.abc import Callable

import stringzilla

# bytes.upper() changes a to z only and keeps the length, whatever the bytes mean.
_UPPER = bytes(range(256)).upper()

Transform = Callable[[memoryview], None]


def upper(chunk: memoryview) -> None:
    """Upper-case a writable chunk in place, at memory speed."""
    stringzilla.translate(chunk, _UPPER, inplace=True)


def echo(chunk: memoryview) -> None:
    """Leave the chunk as it is."""


TRANSFORMS: dict[str, Transform] = {"upper": upper, "echo": echo}
