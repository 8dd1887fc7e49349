"""What holds for every option of every command of both programs."""

import re
from pathlib import Path

import click
import pytest

from stentor_client.__main__ import cli as client
from stentor_server.__main__ import cli as server
from unit.ending import RunCommand, commands, identify

OPTIONS = [(group, command, option) for group in (server, client) for command, option in commands(group)]
# One for each type of TOML's, and the numbers that are most easily taken for something else.
VALUES = (
    *('""', '"0"', '"text"', "0", "1", "-1", "99999999999", "0.5", "1.0", "nan", "inf", "true", "false"),
    *("00:00:01", "2020-02-20", "2020-02-20T00:00:01Z", "[]", "[1]", '["::1"]', "[true]", "[[1]]", "{}", "[{}]"),
)
FOR_PROGRAMMERS = re.compile(r"\n|\b(integer|float|boolean|INTEGER|FLOAT)\b|--\S+ TEXT\b|x<=|Errno")


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
            assert not FOR_PROGRAMMERS.search(by_file.format_message())
        elif option.is_flag:
            assert value == str(by_file).lower()
        elif option.multiple:
            written = [each.strip('"') for each in value.strip("[]").split(",") if each]
            assert by_file == _parsed(group, command, option, *(word for each in written for word in (flag, each)))
        else:
            assert repr(by_file) == repr(_parsed(group, command, option, flag, value.strip('"')))


@pytest.mark.parametrize(("group", "command", "option"), OPTIONS, ids=identify)
def test_given_twice(group: click.Group, command: click.Command, option: click.Option) -> None:
    """An option with one value is given once, because the second value would override the first without a word."""
    flag = option.opts[0]
    value = () if option.is_flag else ("1",)
    parsed = _parsed(group, command, option, flag, *value, flag, *value)
    refused = isinstance(parsed, click.UsageError) and parsed.message == "it is given 2 times, but takes one value"
    assert refused == (not option.is_flag and not option.multiple)


@pytest.mark.parametrize(("group", "command", "option"), OPTIONS, ids=identify)
def test_help(run_command: RunCommand, group: click.Group, command: click.Command, option: click.Option) -> None:
    """The help of a command shows flag, variable and meaning of every option, and which are repeatable, for people."""
    shown = " ".join(run_command(group, str(command.name), "--help").out.split())
    assert not FOR_PROGRAMMERS.search(shown)
    assert option.help
    for each in (option.opts[0], f"env var: {option.envvar}", " ".join(option.help.split())):
        assert each in shown
    assert ("repeatable" in str(option.help)) == option.multiple


def _parsed(group: click.Group, command: click.Command, option: click.Option, *arguments: str) -> object:
    """Return the value that an option gets from a command line, or why it gets none."""
    try:
        with click.Context(group) as parent, command.make_context(command.name, [*arguments], parent) as context:
            return context.params[option.name]
    except click.UsageError as error:
        return error
