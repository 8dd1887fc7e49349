"""What holds for every option of every command of both programs."""

from pathlib import Path

import click
import pytest

from stentor_client.__main__ import cli as client
from stentor_server.__main__ import cli as server
from unit.ending import commands, identify

OPTIONS = [(group, command, option) for group in (server, client) for command, option in commands(group)]
# One for each type of TOML's, and the numbers that are most easily taken for something else.
VALUES = (
    *('""', '"0"', '"text"', "0", "1", "-1", "99999999999", "0.5", "1.0", "nan", "inf", "true", "false"),
    *("00:00:01", "2020-02-20", "2020-02-20T00:00:01Z", "[]", "[1]", '["::1"]', "[true]", "[[1]]", "{}", "[{}]"),
)


@pytest.mark.parametrize(("group", "command", "option"), OPTIONS, ids=identify)
def test_any_value_in_the_file(
    tmp_path: Path, group: click.Group, command: click.Command, option: click.Option
) -> None:
    """Whatever stands in the file for an option is what the flag would say, or is refused."""
    path = tmp_path / "stentor.toml"
    flag = option.opts[0]
    key = flag.removeprefix("--")
    for value in VALUES:
        path.write_text(f"{key} = {value}")
        by_file = _parsed(group, command, option, "--config", str(path))
        if isinstance(by_file, click.UsageError):
            assert key in by_file.format_message()
        elif option.is_flag:
            assert value == str(by_file).lower()
        elif option.multiple:
            written = [each.strip('"') for each in value.strip("[]").split(",") if each]
            assert by_file == _parsed(group, command, option, *(word for each in written for word in (flag, each)))
        else:
            assert repr(by_file) == repr(_parsed(group, command, option, flag, value.strip('"')))


def _parsed(group: click.Group, command: click.Command, option: click.Option, *arguments: str) -> object:
    """Return the value that an option gets from a command line, or why it gets none."""
    try:
        with click.Context(group) as parent, command.make_context(command.name, [*arguments], parent) as context:
            return context.params[option.name]
    except click.UsageError as error:
        return error
