"""Declaring options."""

from pathlib import Path
from typing import Any

import click
import pytest

from stentor_chassis.failure import USAGE
from stentor_chassis.options.command_line import group
from stentor_chassis.options.network import Network
from stentor_chassis.options.option import PORTS, option
from stentor_chassis.options.quantities import Size
from stentor_chassis.options.text import File, Text
from unit.ending import RunCommand


def _command(*declare: Any) -> click.Group:
    """Return a service with one command, `show`, that prints its options."""

    def show(**values: Any) -> None:
        print(values)

    for each in declare:
        show = each(show)
    service = group("A service.", "1.2.3")
    service.command()(show)
    return service


def test_empty_variable(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable counts as none, as compose passes it on, unless that would leave a door open in silence."""
    service = _command(
        option("--some-size", type=Size(), default="1KiB", help="A size."),
        option("--some-name", type=Text(), default="x", help="A name."),
        option("--some-file", type=File(), help="A file."),
        option("--allow", type=Network(), multiple=True, help="Networks."),
    )
    for name in ("SIZE", "NAME"):
        monkeypatch.setenv(f"STENTOR_SOME_{name}", "")
    values = {"some_size": 1024, "some_name": "x", "some_file": None, "allow": ()}
    assert eval(run_command(service, "show").out) == values
    for flag, value in (("--some-file", "a"), ("--allow", "::1"), ("--config", "/dev/null")):
        variable = "STENTOR_" + flag.strip("-").replace("-", "_").upper()
        with monkeypatch.context() as set_empty:
            set_empty.setenv(variable, "")
            ended = run_command(service, "show")
            assert ended.code == USAGE
            assert flag in ended.line
            assert ended.line.endswith(f"(env var: '{variable}'): the variable is empty")
            assert run_command(service, "show", flag, value).code is None


@pytest.mark.parametrize("link", ["tcp://10.96.0.12:8080", "udp://[fd00::1]:53"])
def test_service_link(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    """A port that Kubernetes sets, for a Service with our name, is ignored with a warning; nothing else like it is."""
    service = _command(option("--port", type=PORTS, default=8080, help="A port."), option("--file", help="A file."))
    monkeypatch.setenv("STENTOR_PORT", link)
    monkeypatch.setenv("STENTOR_FILE", link)
    ended = run_command(service, "show")
    assert eval(ended.out) == {"port": 8080, "file": link}
    assert ended.err.count("\n") == 1
    assert f"STENTOR_PORT={link} is ignored: Kubernetes sets it in every pod because a Service is called s" in ended.err
    assert (ended := run_command(service, "show", "--port", "1")).err == ""
    assert "'port': 1" in ended.out
    for wrong in ("10.96.0.12:8080", "tcp://10.96.0.12", "http://10.96.0.12:8080", f"{link} "):
        monkeypatch.setenv("STENTOR_PORT", wrong)
        assert run_command(service, "show").line.endswith(f"{wrong!r} is not a whole number from 0 to 65535")


def test_precedence(run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A flag overrides the variable, which overrides the file, which overrides the default."""
    service = _command(
        option("--closed", is_flag=True, help="A switch."),
        option("--allow", type=Network(), multiple=True, default=["::1"], help="Networks."),
    )
    path = tmp_path / "stentor.toml"
    path.write_text('closed = true\nallow = ["10.2.0.0/16", "::2"]')
    config = ["--config", str(path)]
    flags = ["--closed", "--allow", "10.4.0.0/16", "--allow", "::4"]

    def shown(*arguments: str) -> list[Any]:
        values = eval(run_command(service, "show", *arguments).out)
        return [values["closed"], *values["allow"]]

    assert shown() == [False, "::1/128"]
    assert shown(*config) == [True, "10.2.0.0/16", "::2/128"]
    monkeypatch.setenv("STENTOR_CLOSED", "0")
    monkeypatch.setenv("STENTOR_ALLOW", "10.3.0.0/16 ,\n::3")
    assert shown() == shown(*config) == [False, "10.3.0.0/16", "::3/128"]
    assert shown(*config, *flags) == shown(*flags, *config) == shown(*flags) == [True, "10.4.0.0/16", "::4/128"]
