"""The machine and the versions of a measurement; nothing that names a host or a person."""

import os
import platform
import re
import subprocess
import sys
import sysconfig
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


def interpreter() -> str:
    """Return the version of Python and how it was optimised; empty if it was not, so that no user has its like.

    Debian and others optimise without a trace in the configuration; so what belongs to the system counts as optimised.
    """
    flags = re.findall(r"--enable-optimizations|--with-lto", sysconfig.get_config_var("CONFIG_ARGS") or "")
    build = "the system's" if sys.base_prefix == "/usr" else " ".join(flags)
    return f"{platform.python_version()}, {build}" if build else ""


def tools() -> dict[str, str]:
    """Return the versions of Python, libraries and compilers, without those that are missing."""
    found = {name: _ask(command) for name, command in TOOLS.items()}
    packages = {name: version(name) for name in ("uvloop", "stringzilla")}
    return {"python": interpreter()} | packages | {name: text for name, text in found.items() if text}


def _ask(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_SECONDS, check=False)
    except FileNotFoundError:
        return ""
    return _version_in(done.stdout)


def _version_in(text: str) -> str:
    return found[0] if (found := VERSION.search(text)) else ""
