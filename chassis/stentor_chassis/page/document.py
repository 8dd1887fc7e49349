"""HTML documents from templates."""

from importlib.resources import files
from string import Template


def document(package: str, name: str, **values: str) -> str:
    """Return the head that all documents share, and then a package's template, with these values, which are HTML."""
    parts = (files("stentor_chassis.page") / "head.html", files(package) / name)
    return Template("".join(part.read_text(encoding="utf-8") for part in parts)).substitute(values)
