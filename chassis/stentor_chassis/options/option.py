"""Declares options: each is a flag, an environment variable and a key of the configuration file."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import reduce
from typing import Any, TypeVar

import click

from stentor_chassis.failure import report
from stentor_chassis.options.network import Hosts
from stentor_chassis.options.text import HostName

T = TypeVar("T")
PORTS = click.IntRange(0, 65535)
Declare = Callable[[Any], Any]  # a decorator that adds options to a command
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")  # a Service `stentor` puts STENTOR_PORT into every pod


class _Option(click.Option):
    """An option that takes one value once, and whose variable is checked where click is silent."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser keep every value, so that `consume_value` sees a second one."""
        if self.is_flag:
            super().add_to_parser(parser, ctx)
        else:
            parser.add_option(obj=self, opts=self.opts, dest=self.name, action="append", nargs=self.nargs)

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> tuple[Any, click.ParameterSource]:
        """Return the value and its source; a second value would override the first without a word."""
        given = opts.get(self.name)
        if isinstance(given, list) and not self.multiple:
            if len(given) > 1:
                raise click.BadParameter(f"it is given {len(given)} times, but takes one value", ctx, self)
            opts = {**opts, self.name: given[0]}
        return super().consume_value(ctx, opts)

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Return what the help shows in brackets."""
        extra = super().get_help_extra(ctx)
        return extra if "range" not in extra else {**extra, "range": self._bounds}

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Convert the value; click reports wrong numbers and switches in the words of programmers."""
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as error:
            wanted = {"integer range": f"a whole number {self._bounds}", "boolean": "true or false"}
            if self.type.name in wanted:
                raise click.BadParameter(f"{value!r} is not {wanted[self.type.name]}", ctx, self) from error
            raise

    @property
    def _bounds(self) -> str:
        low, high = (getattr(self.type, name, None) for name in ("min", "max"))
        return f"from {low} up" if high is None else f"from {low} to {high}"

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the value of the variable, if it has one and Kubernetes did not set it."""
        found = super().resolve_envvar_value(ctx)
        if found and self.type is PORTS and _SERVICE_LINK.fullmatch(found):
            service = str(self.envvar).removesuffix("_PORT").lower().replace("_", "-")
            report(
                f"{ctx.command_path}: warning: {self.envvar}={found} is ignored: Kubernetes sets it in every pod "
                f"because a Service is called {service}; the pod's enableServiceLinks: false prevents it"
            )
            return None
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
    if isinstance(attributes.get("type"), click.IntRange):
        attributes["metavar"] = "NUMBER"
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
        option(
            "--admin-host",
            type=Hosts(),
            default="127.0.0.1",
            help="Addresses or names the admin endpoint listens on, separated by commas.",
        ),
        option("--admin-port", type=PORTS, default=port, help="Admin port."),
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
