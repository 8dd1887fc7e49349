"""Addresses of services over HTTP, as options."""

from typing import Any
from urllib.parse import urlsplit

import click

from stentor_chassis.options.text import Listed


class BaseUrl(Listed):
    """The address of a service over HTTP, such as `http://127.0.0.1:8081`.

    The path that is asked for may stand in it.
    """

    name = "url"

    def __init__(self, ending: str = "") -> None:
        """Take away `ending`, such as `/metrics`, which people copy along with the address."""
        self._ending = ending

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return it without the path's ending, or fail with what is wanted."""
        try:
            parts = urlsplit(value)
            plain = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:  # brackets without an end, or a port that is no number
            plain = False
        if not plain or parts.query or parts.fragment or "@" in parts.netloc or not value.isprintable() or " " in value:
            self.fail(f"{value!r} is not a URL such as http://127.0.0.1:8081", param, ctx)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(self._ending).rstrip('/')}"
