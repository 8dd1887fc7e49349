"""The configuration file: TOML in which every key is the name of an option."""

import os
import stat
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import click

_ITSELF = "config"
_INTEGER_BITS = 64  # as in TOML; Python refuses to print very long integers
_MAX_BYTES = 1 << 20  # so that reading an endless device ends


class WrongFileError(ValueError):
    """The file is invalid; the message says why, on one line."""


def read(path: str, command: click.Command, commands: Iterable[click.Command]) -> dict[str, Any]:
    """Return the values in the file for the options of `command`, by the names of its parameters.

    The file may have options of the other `commands` as well. Numbers become text, so that the type of an option
    parses and refuses the same values as on the command line: click would accept `true` as port 1 and 80.9 as port 80.

    Raises:
        OSError: the file cannot be read.
        WrongFileError: it is invalid.

    """
    options = _options(command)
    known = options.keys() | {key for each in commands for key in _options(each)}
    values = _parse(path)
    for key, value in values.items():
        if isinstance(value, dict):
            raise WrongFileError(f"{key!r} is a table; write options without tables, for all commands together")
        if key == _ITSELF:
            raise WrongFileError(f"{key!r} cannot be set in the file itself")
        if key not in known:
            raise WrongFileError(f"{key!r} is not an option of any command{_suggestion(key, known)}")
    return {options[key].name: _value(key, value, options[key]) for key, value in values.items() if key in options}


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command that a file can set, by key."""
    options = [option for option in command.params if isinstance(option, click.Option) and option.name != _ITSELF]
    return {flag.removeprefix("--"): option for option in options for flag in option.opts if flag.startswith("--")}


def _parse(path: str) -> dict[str, Any]:
    real = os.path.realpath(path)
    if os.path.exists(real) and stat.S_ISFIFO(os.stat(real).st_mode):  # not if a shell made it
        raise WrongFileError("it is a named pipe; reading it could block forever")
    with open(path, "rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise WrongFileError(f"it is longer than {_MAX_BYTES >> 20} MiB")
    try:
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise WrongFileError(f"not UTF-8 (at line {line})") from error
    except tomllib.TOMLDecodeError as error:
        raise WrongFileError(f"not TOML: {error}") from error
    except (ValueError, RecursionError) as error:
        raise WrongFileError("it has a number that is too long, or lists nested too deeply") from error


def _suggestion(key: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown key: a similar key, if there is one."""
    near = get_close_matches(key.lower().replace("_", "-"), sorted(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _value(key: str, value: Any, option: click.Option) -> Any:
    """Return a value in the form that click expects: a text, a boolean for a switch, or a list of texts."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise WrongFileError(f"{key!r} must be true or false, without quotes")
        return value
    if option.multiple:
        if value == [] and isinstance(option.default, tuple):  # the command line cannot express it
            raise WrongFileError(f"{key!r} is an empty list: give at least one value")
        return [_text(key, each) for each in (value if isinstance(value, list) else [value])]
    if isinstance(value, list):
        raise WrongFileError(f"{key!r} must be one value, not a list")
    return _text(key, value)


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WrongFileError(f"{key!r} must be a string or a number")
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        raise WrongFileError(f"{key!r} is out of range")
    if isinstance(value, str) and "\0" in value:  # impossible on a command line, and rejected by system calls
        raise WrongFileError(f"{key!r} has a NUL character")
    return str(value)
