"""The scripts that install packages: they change nothing that is installed, and undo what they add."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEW = "Inst docker.io (26.1.5 Debian:13.8/stable [amd64])\nConf docker.io (26.1.5 Debian:13.8/stable [amd64])"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A system of its own for the scripts: apt's folders, and a folder of programs."""
    for folder in ("bin", "var/log", "etc/apt/sources.list.d", "etc/apt/preferences.d"):
        (tmp_path / folder).mkdir(parents=True)
    stand_in(tmp_path, "id", "echo 0")
    return tmp_path


def stand_in(system: Path, name: str, script: str) -> None:
    program = system / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def apt_get(system: Path, plan: str) -> None:
    """Put an apt-get there that answers a simulation with `plan`, and notes every other call."""
    stand_in(
        system,
        "apt-get",
        f"""case "$*" in
        *--simulate*) printf '%s\\n' '{plan}' ;;
        *) echo "$*" >>{system}/calls; echo chatter ;;
        esac""",
    )


def run(system: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{system}/bin:{os.environ['PATH']}", "STENTOR_ROOT": str(system)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "change", ["Inst libc6 [2.36-9] (2.41-12 Debian:13.8/stable [amd64])", "Remv runc [1.1.5+ds1]"]
)
def test_refuses_to_change_what_is_installed(system: Path, change: str) -> None:
    """A plan that upgrades or removes a package is shown, and not carried out."""
    apt_get(system, f"{NEW}\n{change}")
    ended = run(system, "scripts/apt-install", "docker-engine", "docker.io")
    assert ended.returncode == 1
    assert "nothing was done" in ended.stderr
    assert change in ended.stderr
    assert NEW.splitlines()[0] not in ended.stderr
    assert (system / "calls").read_text().splitlines() == ["update"]


def test_installs_what_is_new(system: Path) -> None:
    """One line says what is installed; what apt says goes to a file."""
    apt_get(system, NEW)
    ended = run(system, "scripts/apt-install", "docker-engine", "docker.io")
    assert (ended.returncode, ended.stdout) == (0, "")
    log = f"{system}/var/log/stentor-apt.log"
    assert ended.stderr == f"docker-engine: installing docker.io (nothing is upgraded; output: {log})\n"
    assert (system / "calls").read_text().splitlines()[-1].startswith("install --yes")
    assert Path(log).read_text() == "chatter\nchatter\n"


def test_remove_undoes_source_and_pin(system: Path) -> None:
    """`docker-engine remove` removes what an installation added to apt's configuration, once."""
    added = [system / "etc/apt/sources.list.d/stentor-trixie.sources", system / "etc/apt/preferences.d/stentor-trixie"]
    for file in added:
        file.touch()
    assert run(system, "scripts/docker-engine", "remove").returncode == 0
    assert not any(file.exists() for file in added)
    assert run(system, "scripts/docker-engine", "remove").returncode == 1
