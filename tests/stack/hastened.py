"""Prometheus's configuration and rules, faster."""

import re
from pathlib import Path

SPEED = 120
SHORTEST_WINDOW_SECONDS = 3  # to have two samples in it, with one a second
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def hasten(source: Path, target: Path) -> None:
    """Copy the YAML files of a folder, readable for every user; an hour in the rules becomes half a minute."""
    target.chmod(0o755)
    for path in sorted(source.rglob("*.yml")):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"\b((?:scrape|evaluation|refresh)_interval|scrape_timeout|interval): \w+", r"\1: 1s", text)
        text = re.sub(r"(?<=\[)(\d+)([smhd])(?=[\]:])", lambda found: _hastened(found, SHORTEST_WINDOW_SECONDS), text)
        text = re.sub(
            r'(?<=process="control"} < )(\d+)',
            lambda age: str(max(int(age[1]) // SPEED, SHORTEST_WINDOW_SECONDS)),
            text,
        )
        text = re.sub(r"(?:(?<=for: )|(?<=offset ))(\d+)([smhd])\b", lambda found: _hastened(found, 0), text)
        copy = target / path.relative_to(source)
        copy.parent.mkdir(exist_ok=True)
        copy.parent.chmod(0o755)
        copy.write_text(text, encoding="utf-8")
        copy.chmod(0o644)


def _hastened(found: re.Match[str], least: int) -> str:
    seconds = int(found[1]) * _UNITS[found[2]]
    return f"{max(seconds // SPEED, least)}s"
