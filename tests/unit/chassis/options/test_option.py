"""Declaring options."""

from pathlib import Path
from typing import Any

import click
import pytest

from stentor_chassis.failure import USAGE
from stentor_chassis.options.command_line import group
from stentor_chassis.options.network import Network
from stentor_chassis.options.option import option
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


# An option of each kind: its declaration; a value as flags, another as variable and a third as a line of the file; and
# the values that result from these, and from none.
KINDS = [
    (
        option("--closed", is_flag=True, help="A switch."),
        (["--closed"], "0", "closed = true"),
        (True, False, True, False),
    ),
    (
        option("--allow", type=Network(), multiple=True, default=["::1"], help="Networks."),
        (["--allow", "10.4.0.0/16", "--allow", "::4"], "10.3.0.0/16,::3", 'allow = ["10.2.0.0/16", "::2"]'),
        (("10.4.0.0/16", "::4/128"), ("10.3.0.0/16", "::3/128"), ("10.2.0.0/16", "::2/128"), ("::1/128",)),
    ),
]


@pytest.mark.parametrize(("declare", "given", "values"), KINDS)
def test_precedence(
    run_command: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    declare: Any,
    given: tuple[list[str], str, str],
    values: tuple[Any, Any, Any, Any],
) -> None:
    """A flag overrides the variable, which overrides the file, which overrides the default."""
    service = _command(declare)
    flags, variable, line = given
    path = tmp_path / "stentor.toml"
    path.write_text(line)
    from_flag, from_variable, from_file, default = values
    name = flags[0].removeprefix("--").replace("-", "_")
    config = ["--config", str(path)]

    def shown(*arguments: str) -> Any:
        return eval(run_command(service, "show", *arguments).out)[name]

    assert default == shown()
    assert from_file == shown(*config)
    monkeypatch.setenv(f"STENTOR_{name.upper()}", variable)
    assert from_variable == shown(*config) == shown()
    assert from_flag == shown(*config, *flags) == shown(*flags, *config) == shown(*flags)


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
