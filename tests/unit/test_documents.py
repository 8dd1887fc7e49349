"""The documents say what the code says."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from event_table import EVENTS
from stentor_chassis import __version__ as chassis_version
from stentor_client import __version__ as client_version
from stentor_client.__main__ import cli as client
from stentor_server import __version__ as server_version
from stentor_server.__main__ import cli as server

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LOGGING = {"debug", "info", "warning", "error", "exception", "log", "emit"}  # names of what logs
PYTHON_IMAGE = re.compile(r"python:3\.\d+-slim-[a-z]+")


def test_reference_is_generated() -> None:
    """The metrics page and the tables of options are what `make docs` writes."""
    check = [sys.executable, "scripts/reference.py", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_targets_exist(document: Path) -> None:
    """Every `make` target that a document names is there."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", document.read_text(encoding="utf-8"), re.MULTILINE))
    assert named - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_and_options_exist(document: Path) -> None:
    """Every command, and option of one, that a document shows is there."""
    text = document.read_text(encoding="utf-8")
    shown = re.findall(r"(stentor-(?:server|client)) ([a-z]+)((?: --[a-z0-9-]+(?: [^-|`\s]\S*)?)*)", text)
    groups = {"stentor-server": server, "stentor-client": client}
    unknown = [
        (name, command, flag)
        for name, command, flags in shown
        for flag in re.findall(r"--[a-z0-9-]+", flags) or [""]
        if flag not in _flags(groups[name], command)
    ]
    assert unknown == []


def test_links_lead_somewhere() -> None:
    """Every relative link in the documents leads to a file of the project."""
    for document in DOCUMENTS:
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        assert [link for link in links if not (document.parent / link).exists()] == []


def test_architecture_names_what_exists() -> None:
    """Every function, class or constant that the architecture page names is in the code."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/stentor_*/**/*.py"))
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = {
        part
        for name in re.findall(r"`([A-Za-z_][\w.]*)`", text)
        for part in name.split(".")
        if "_" in part.strip("_") or part[0].isupper() or part.startswith("_")
    }
    known_elsewhere = {"SO_REUSEPORT", "PIPE_BUF"}
    assert [name for name in sorted(names - known_elsewhere) if not re.search(rf"\b{name}\b", code)] == []


def _logged() -> dict[str, set[str]]:
    """Return the events that the code logs, with the keys that it names where it does; `**` may add others."""
    events: dict[str, set[str]] = {}
    for path in ROOT.glob("*/stentor_*/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and re.split(r"\W", ast.unparse(node.func))[-1] in LOGGING:
                keys = {keyword.arg for keyword in node.keywords if keyword.arg} - {"exc_info", "worker"}
                for name in _events_of(node.args[0]):
                    events.setdefault(name, set()).update(keys)
            elif isinstance(node, ast.keyword) and node.arg == "warnings":
                events |= {name: {"fault"} for name in re.findall(r"'([a-z]+\.[a-z]+)'", ast.unparse(node))}
    return events


def _events_of(first: ast.expr) -> list[str]:
    """Return the events that the first argument of a call names, if it does."""
    if isinstance(first, ast.JoinedStr) and ast.unparse(first).startswith("f'{name}."):
        return [f"{service}.{ast.unparse(first)[9:-1]}" for service in ("server", "client")]
    named = isinstance(first, ast.Constant) and isinstance(first.value, str)
    return re.findall(r"^(?:[a-z]+\.[a-z]+)$", str(first.value)) if named and isinstance(first, ast.Constant) else []


def test_operations_list_every_event() -> None:
    """Every event that the code logs is in the table of operations, with the keys, and the other way round."""
    logged = _logged()
    assert set(logged) == set(EVENTS)
    missing = {name: sorted(keys - EVENTS[name].keys()) for name, keys in logged.items()}
    assert {name: keys for name, keys in missing.items() if keys} == {}


def test_one_version() -> None:
    """Packages and images carry the same version."""
    images = {
        re.search(r"^ARG VERSION=(\S+)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)[1]  # type: ignore[index]
        for name in ("Dockerfile.server", "Dockerfile.client")
    }
    assert {chassis_version, server_version, client_version} == images


def test_one_base_image() -> None:
    """The Dockerfiles and the compose file build on the same image."""
    files = ("Dockerfile.server", "Dockerfile.client", "docker-compose.yml")
    assert len({image for name in files for image in PYTHON_IMAGE.findall((ROOT / name).read_text())}) == 1


def _flags(group: click.Group, command: str) -> set[str]:
    """Return the flags of a command, and the empty one for the command itself; none where it does not exist."""
    found = group.get_command(click.Context(group), command)
    if found is None:
        return set()
    options = [option for option in found.params if isinstance(option, click.Option)]
    return {"", "--help", *(name for option in options for name in option.opts)}
