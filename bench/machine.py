"""The machine and the versions of a measurement; nothing that names a host or a person."""

import os
import platform
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

ASK_SECONDS = 10
VERSION = re.compile(r"\d+(?:\.\d+)+")
TOOLS = {
    "gcc": ("gcc", "-dumpfullversion"),
    "go": ("go", "version"),
    "node": ("node", "--version"),
    "liburing": ("pkg-config", "--modversion", "liburing"),
}


def machine() -> dict[str, str | int]:
    """Return the properties of the machine on which figures depend."""
    processors = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*: (.*)$", processors, re.MULTILINE)
    virtual = re.search(r"^flags\s*:.* hypervisor\b", processors, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "virtual": "yes" if virtual else "no",
        "kernel": f"{platform.system()} {_version_in(platform.release())}",
    }


def tools() -> dict[str, str]:
    """Return the versions of Python, libraries and compilers, without those that are missing."""
    found = {name: _ask(command) for name, command in TOOLS.items()}
    packages = {name: version(name) for name in ("uvloop", "stringzilla")}
    return {"python": platform.python_version()} | packages | {name: text for name, text in found.items() if text}


def _ask(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except FileNotFoundError:
        return ""
    return _version_in(done.stdout)


def _version_in(text: str) -> str:
    return found[0] if (found := VERSION.search(text)) else ""
