"""The command line of the server."""

import resource
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from processes import Server
from stentor_chassis.failure import COULD_NOT_START, USAGE
from stentor_server.__main__ import cli
from unit.ending import RunCommand, commands, identify

SPARE_DESCRIPTORS = 100


@pytest.fixture(scope="module")
def few_descriptors() -> Iterator[int]:
    """Children begin with a low soft limit of descriptors, as most systems set it; yields the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def server(few_descriptors: int) -> Iterator[Server]:
    """A server with the defaults, for tests that leave it as it is."""
    with Server("--workers", "1") as server:
        yield server


@pytest.mark.parametrize(("command", "option"), commands(cli), ids=identify)
def test_help_names_every_option(run_command: RunCommand, command: click.Command, option: click.Option) -> None:
    """The help of a command shows the flag, the variable and the meaning of every option."""
    help_text = " ".join(run_command(cli, str(command.name), "--help").out.split())
    assert option.opts[0] in help_text
    assert f"env var: {option.envvar}" in help_text
    assert option.help
    assert option.help.split(";")[0].split("  [")[0] in help_text


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--port", "65536"),
        ("--workers", "many"),
        ("--transform", "lower"),
        ("--allow", "10.0.0.1/8"),
        ("--proxy-protocol", "v3"),
        ("--write-timeout", "soon"),
        ("--drain-timeout", "0"),
    ],
)
def test_wrong_value(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flag: str, value: str
) -> None:
    """A wrong value, by flag, variable or file, ends with 2 and one line that names them and the value."""
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    by_flag = run_command(cli, "serve", flag, value)
    path = tmp_path / "stentor.toml"
    path.write_text(f'{flag.removeprefix("--")} = "{value}"')
    by_file = run_command(cli, "serve", "--config", str(path))
    assert repr(str(path)) in by_file.line
    monkeypatch.setenv(variable, value)
    by_variable = run_command(cli, "serve")
    for ended in (by_flag, by_file, by_variable):
        assert ended.code == USAGE
        assert flag in ended.line
        assert variable in ended.line
        assert value in ended.line


def test_health(run_command: RunCommand) -> None:
    """The health command says by its code alone whether a server is well."""
    with Server("--workers", "1") as server:
        ports = ["--port", str(server.address[1]), "--admin-port", server.admin.rpartition(":")[2]]
        well = run_command(cli, "health", *ports)
        assert (well.code, well.out, well.err) == (0, "", "")
        wrong = run_command(cli, "health", *ports, "--transform", "echo")
        assert wrong.code == COULD_NOT_START
        assert "answered" in wrong.line


@pytest.mark.parametrize("flag", ["--port", "--admin-port"])
def test_health_of_port_0(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flag: str) -> None:
    """Where the server takes a free port nobody can ask: the same file or variable ends with 2 and one line of why."""
    path = tmp_path / "stentor.toml"
    path.write_text(f"{flag.removeprefix('--')} = 0")
    by_file = run_command(cli, "health", "--config", str(path))
    assert repr(str(path)) in by_file.line
    by_flag = run_command(cli, "health", flag, "0")
    monkeypatch.setenv("STENTOR_" + flag.removeprefix("--").replace("-", "_").upper(), "0")
    for ended in (by_file, by_flag, run_command(cli, "health")):
        assert ended.code == USAGE
        assert flag in ended.line
        assert ended.line.endswith("0 makes the server pick a free port; give that port here")


def test_health_of_port_0_over_the_unix_socket(run_command: RunCommand, tmp_path: Path) -> None:
    """Asked over its Unix socket, the server may have taken any port."""
    path = str(tmp_path / "exchange")
    with Server("--workers", "1", "--unix", path) as server:
        admin_port = server.admin.rpartition(":")[2]
        well = run_command(cli, "health", "--unix", path, "--port", "0", "--admin-port", admin_port)
        assert (well.code, well.out, well.err) == (0, "", "")


def test_descriptor_limit(few_descriptors: int, server: Server) -> None:
    """The server raises its limit of descriptors, and by default serves as many connections as that allows."""
    assert few_descriptors - SPARE_DESCRIPTORS == server.status()["config"]["max_connections"]
    assert (few_descriptors,) * 2 == resource.prlimit(server.worker_pids()[0], resource.RLIMIT_NOFILE)
