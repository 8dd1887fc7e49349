"""Declares options: each is a flag, an environment variable and a key of the configuration file."""

import os
from collections.abc import Callable
from dataclasses import fields
from functools import reduce
from typing import Any, TypeVar

import click

from stentor_chassis.options.text import HostName, Text

T = TypeVar("T")
Declare = Callable[[Any], Any]  # a decorator that adds options to a command


class _Option(click.Option):
    """An option whose type can reject an empty variable, which click ignores."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the variable, if it has one."""
        found = super().resolve_envvar_value(ctx)
        empty = found is None and str(self.envvar) in os.environ
        if empty and getattr(self.type, "empty_variable_is_wrong", False):
            raise click.BadParameter("the variable is empty", ctx, self)
        return found


def option(flag: str, *name: str, **attributes: Any) -> Declare:
    """Declare an option: `--some-flag` is also `STENTOR_SOME_FLAG`, and the help shows both and the default.

    The command receives its value as `some_flag`, or as `name`, such as that of a dataclass field.
    """
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    attributes.setdefault("show_default", True)
    return click.option(flag, *name, cls=_Option, envvar=variable, show_envvar=True, **attributes)


def options(*declared: Declare) -> Declare:
    """Declare several options, in the order of the help."""
    return lambda command: reduce(lambda done, declare: declare(done), reversed(declared), command)


def build(kind: type[T], values: dict[str, Any], **others: Any) -> T:
    """Build a dataclass from `others` and from the `values` named like its fields, which it removes from `values`."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type] # it is a dataclass
    return kind(**{name: values.pop(name) for name in names & values.keys()}, **others)


def wrong_value(name: str, message: str) -> click.BadParameter:
    """Return the error for a wrong value of the running command's option `name`."""
    context = click.get_current_context()
    return click.BadParameter(message, context, next(each for each in context.command.params if each.name == name))


def admin_options(port: int) -> Declare:
    """Declare the address of the admin endpoint."""
    return options(
        option("--admin-host", type=Text(), default="127.0.0.1", help="Address the admin endpoint listens on."),
        option("--admin-port", type=click.IntRange(0, 65535), default=port, help="Admin port."),
        option(
            "--admin-name",
            "admin_names",
            type=HostName(),
            multiple=True,
            help="Host name of the admin endpoint, besides addresses and the machine's own name; repeatable.",
        ),
    )


log_options = options(
    option(
        "--log-level",
        "level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        help="Lowest level that is logged.",
    ),
    option(
        "--log-format",
        "format",
        type=click.Choice(["auto", "json", "console"]),
        default="auto",
        help="auto: console on a terminal, else JSON.",
    ),
)
