"""The documents say what the code says."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from stentor_chassis import __version__ as chassis_version
from stentor_client import __version__ as client_version
from stentor_client.__main__ import cli as client
from stentor_server import __version__ as server_version
from stentor_server.__main__ import cli as server

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
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


def test_readme_lists_every_event() -> None:
    """Every event that the code logs is in the README's table, and the other way round."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/stentor_*/**/*.py"))
    logged = set(re.findall(r"""(?:\b_?log|logger|emit)(?:\.\w+)?\(\s*"([a-z]+\.[a-z]+)\"""", code))
    logged |= set(re.findall(r'warnings=\{"([a-z.]+)"', code))
    logged |= {f"server.{word}" for word in re.findall(r'f"\{name\}\.([a-z]+)"', code)}
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("| event | when |")[2].partition("\n\n")[0]
    listed = {name for row in table.splitlines()[1:] for name in re.findall(r"`([a-z]+\.[a-z]+)`", row.split("|")[1])}
    assert listed == logged


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
    if command not in group.commands:
        return set()
    options = [option for option in group.commands[command].params if isinstance(option, click.Option)]
    return {"", "--help", *(name for option in options for name in option.opts)}
