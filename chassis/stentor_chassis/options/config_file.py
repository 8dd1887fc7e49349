"""The configuration file: TOML in which every key is an option, spelled as its flag."""

import os
import stat
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import click

_ITSELF = "config"
_INTEGER_BITS = 64  # of TOML; Python refuses to write very long ones
_MOST_BYTES = 1 << 20  # so that a device that never ends is not read for ever


class WrongFileError(ValueError):
    """The file cannot be understood; the message says why, on one line."""


def read(path: str, command: click.Command, commands: Iterable[click.Command]) -> dict[str, Any]:
    """Return what the file says about the options of `command`, by the names of its parameters.

    Options of the other `commands` may stand in it as well. Numbers become text, so that an option's type parses, and
    refuses, the same from the file as from the command line: click would take `true` for port 1 and 80.9 for port 80.

    Raises:
        OSError: the file cannot be read.
        WrongFileError: it cannot be understood.

    """
    options = _options(command)
    known = options.keys() | {key for each in commands for key in _options(each)}
    values = _parse(path)
    for key, value in values.items():
        if isinstance(value, dict):
            raise WrongFileError(f"{key!r} is a table; options stand outside of tables, and serve all commands")
        if key == _ITSELF:
            raise WrongFileError(f"{key!r} cannot be set in the file itself")
        if key not in known:
            raise WrongFileError(f"{key!r} is no option of any command{_suggestion(key, known)}")
    return {options[key].name: _value(key, value, options[key]) for key, value in values.items() if key in options}


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command that a file can set, by their keys."""
    options = [option for option in command.params if isinstance(option, click.Option) and option.name != _ITSELF]
    return {flag.removeprefix("--"): option for option in options for flag in option.opts if flag.startswith("--")}


def _parse(path: str) -> dict[str, Any]:
    real = os.path.realpath(path)
    if os.path.exists(real) and stat.S_ISFIFO(os.stat(real).st_mode):  # one that a shell made has no such name
        raise WrongFileError("a named pipe, on which one could wait for ever")
    with open(path, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise WrongFileError(f"longer than {_MOST_BYTES >> 20} MiB")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WrongFileError(f"not UTF-8 (at line {line})") from error
    except tomllib.TOMLDecodeError as error:
        raise WrongFileError(f"not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise WrongFileError("holds a number that is too long, or lists too deep in each other") from error


def _suggestion(key: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown key: what was meant, as far as that can be told."""
    near = get_close_matches(key.lower().replace("_", "-"), sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _value(key: str, value: Any, option: click.Option) -> Any:
    """Return a value as click takes it from the command line: a text, a truth value for a switch, or several texts."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise WrongFileError(f"{key!r} takes true or false, without quotes")
        return value
    if option.multiple:
        if value == [] and isinstance(option.default, tuple):  # which no flag would give, and no number of flags none
            raise WrongFileError(f"{key!r} is an empty list: give at least one")
        return [_text(key, each) for each in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        raise WrongFileError(f"{key!r} takes one value, and no list")
    return _text(key, value)


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongFileError(f"{key!r} takes a text or a number")
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        raise WrongFileError(f"{key!r} is out of all range")
    if isinstance(value, str) and "\0" in value:  # which no command line can hold, and no system call takes
        raise WrongFileError(f"{key!r} has a NUL character")
    return str(value)
