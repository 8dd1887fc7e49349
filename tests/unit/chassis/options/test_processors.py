"""How many processors there are to use, and the option that asks for as many worker processes."""

import os
from pathlib import Path
from typing import Any

import click
import pytest

from stentor_chassis.options import processors as module
from stentor_chassis.options.processors import Workers, usable_processors


def test_workers() -> None:
    """Workers are a number from 1, or as many as the processors that may be used."""
    assert tuple(Workers().convert(value, None, None) for value in ("1", "999", 3)) == (1, 999, 3)
    assert usable_processors() == Workers().convert("auto", None, None)
    for wrong in ("0", "1000", "-1", "two", "", "1.0"):
        with pytest.raises(click.BadParameter, match="neither auto nor a number"):
            Workers().convert(wrong, None, None)


@pytest.mark.parametrize(
    ("files", "processors"),
    [
        ({}, 3),
        ({"cpu.max": "max 100000\n"}, 3),
        ({"cpu.max": "250000 100000\n"}, 2),
        ({"cpu.max": "900000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"}, 2),
    ],
    ids=str,
)
def test_usable_processors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: dict[str, str], processors: int
) -> None:
    """Of three processors as many may be used as the container's limit leaves, and at least one."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    def of_container(path: str, **how: Any) -> Any:
        return open(tmp_path / os.path.basename(path), **how)

    monkeypatch.setattr(module, "open", of_container, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 2, 5})
    assert processors == usable_processors()
