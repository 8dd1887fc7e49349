"""URLs of services, as options."""

from typing import Any
from urllib.parse import urlsplit

import click

from stentor_chassis.options.text import Listed


class BaseUrl(Listed):
    """The URL of a service, such as `http://127.0.0.1:8081`, with or without the path of its endpoint."""

    name = "url"

    def __init__(self, ending: str = "") -> None:
        """Remove `ending`, such as `/metrics`, which people copy along."""
        self._ending = ending

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URL without the ending, or fail with an example."""
        try:
            parts = urlsplit(value)
            plain = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:  # an open bracket, or a port that is not a number
            plain = False
        if not plain or parts.query or parts.fragment or "@" in parts.netloc or not value.isprintable() or " " in value:
            self.fail(f"{value!r} is not a URL such as http://127.0.0.1:8081", param, ctx)
        return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix(self._ending).rstrip('/')}"
