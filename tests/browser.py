"""A real browser, without a window."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from processes import ENVIRONMENT

_CONSOLE = ":CONSOLE:"  # what a page writes to its console, and what the browser does, errors too


@dataclass(frozen=True)
class Opened:
    """What became of a page: its elements as the browser has them, and the lines of its console."""

    elements: str
    console: list[str]


def open_page(path: Path, profile: Path) -> Opened:
    """Open a page from where it lies, with a `profile` of its own."""
    command = [
        "chromium",
        "--headless",
        "--disable-gpu",
        "--enable-logging=stderr",
        "--v=0",
        f"--user-data-dir={profile}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),  # it refuses to be root with one
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=90, check=True)
    return Opened(done.stdout, [line for line in done.stderr.splitlines() if _CONSOLE in line])
