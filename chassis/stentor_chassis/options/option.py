"""The command line: options that are flag, environment variable and key of a file, and where a process exits."""

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import reduce
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import click

from stentor_chassis.control.descriptors import fill_standard
from stentor_chassis.escaping import escaped
from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, USAGE, Failure
from stentor_chassis.options import config_file
from stentor_chassis.options.text import HostName, Path, Text

T = TypeVar("T")
Declare = Callable[[Any], Any]  # declares an option, or several, of a command

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_FILE = "stentor_chassis.options.option.file"  # where a context keeps the path of the configuration file


class _Option(click.Option):
    """An option of which an empty variable counts as none, as click has it, unless its type says that it is wrong."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the variable says, if it says anything."""
        found = super().resolve_envvar_value(ctx)
        empty = found is None and str(self.envvar) in os.environ
        if empty and getattr(self.type, "empty_variable_is_wrong", False):
            raise click.BadParameter("the variable is empty", ctx, self)
        return found


def option(flag: str, *name: str, **attributes: Any) -> Declare:
    """Declare an option once: `--some-flag` is also `STENTOR_SOME_FLAG`, and the help shows both and the default.

    The command receives its value as `some_flag`, or under `name`: that of the dataclass field it becomes.
    """
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    attributes.setdefault("show_default", True)
    return click.option(flag, *name, cls=_Option, envvar=variable, show_envvar=True, **attributes)


def options(*declared: Declare) -> Declare:
    """Declare several options, in the order in which the help shows them."""
    return lambda command: reduce(lambda done, declare: declare(done), reversed(declared), command)


def taken(kind: type[T], values: dict[str, Any], **others: Any) -> T:
    """Return a dataclass made of the `values` named as its fields, which are removed there, and of `others`."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type] # it is a dataclass
    return kind(**{name: values.pop(name) for name in names & values.keys()}, **others)


def group(help_text: str, version: str, modules: Mapping[str, str] = MappingProxyType({})) -> "Commands":
    """Return the command group of a service; `modules` maps each command to the module that has it under its name."""
    commands = Commands(modules, help=help_text, context_settings=_CONTEXT)
    return click.version_option(version, "-V", "--version", message="%(prog)s %(version)s")(commands)


def wrong_value(name: str, message: str) -> click.BadParameter:
    """Return the error to raise for the option `name` of the command that runs, where only that can judge the value."""
    context = click.get_current_context()
    return click.BadParameter(message, context, next(each for each in context.command.params if each.name == name))


def admin_options(port: int) -> Declare:
    """Declare where the admin endpoint listens."""
    return options(
        option("--admin-host", type=Text(), default="127.0.0.1", help="Address the admin endpoint listens on."),
        option("--admin-port", type=click.IntRange(0, 65535), default=port, help="Admin port."),
        option(
            "--admin-name",
            "admin_names",
            type=HostName(),
            multiple=True,
            help="Host name by which the admin endpoint is reached, besides addresses and the machine's own name; may "
            "be repeated.",
        ),
    )


log_options = options(
    option(
        "--log-level",
        "level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        help="Least level that is logged.",
    ),
    option(
        "--log-format",
        "format",
        type=click.Choice(["auto", "json", "console"]),
        default="auto",
        help="auto: console on a terminal, else JSON.",
    ),
)


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command line and exit: nothing else in a service ends the process."""
    fill_standard()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # in a locale that lacks a character, as on standard error
    try:
        code = command.main(prog_name=name, standalone_mode=False)
        if sys.stdout is not None:  # it was closed when we started
            sys.stdout.flush()
    except click.ClickException as error:
        code = USAGE
        _say(name, error)
    except Failure as failure:
        code = failure.code
        if failure.message:
            _print(f"{name}: {failure.message}")
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except MemoryError:
        code = INTERNAL_ERROR
        _print(f"{name}: there is not enough memory")
    except OSError as error:  # all others are answered where they arise: this is our output that cannot be written
        code = INTERNAL_ERROR
        _print(f"{name}: {error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor could it be flushed on the way out
    sys.exit(code)


class Commands(click.Group):
    """Commands that are imported when they are used, and can all read one configuration file."""

    def __init__(self, modules: Mapping[str, str], **attributes: Any) -> None:
        """Import each command from its module, under its own name."""
        super().__init__(**attributes)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return sorted({*self._modules, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, imported if it was not yet."""
        if cmd_name in self._modules and cmd_name not in self.commands:
            self.add_command(getattr(import_module(self._modules[cmd_name]), cmd_name))
        return self.commands.get(cmd_name)

    def all_commands(self) -> list[click.Command]:
        """Return all commands, in the order in which they were declared."""
        for name in self._modules:
            self.get_command(click.Context(self), name)
        return [*self.commands.values()]

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, and to the command the option."""
        declare = option(
            "--config",
            type=Path(),
            metavar="FILE",
            is_eager=True,  # before the options that it has values for
            expose_value=False,
            callback=self._configure,
            help="Read options from this TOML file; flags and variables go before it.",
            show_default=False,
        )
        super().add_command(declare(cmd), name)

    def _configure(self, context: click.Context, parameter: click.Parameter, path: str | None) -> None:
        if path is None:
            return
        try:
            context.default_map = config_file.read(path, context.command, self.all_commands())
        except OSError as error:
            raise click.BadParameter(f"{path!r}: {error.strerror}", context, parameter) from error
        except config_file.WrongFileError as error:
            raise click.BadParameter(f"{path!r}: {error}", context, parameter) from error
        context.meta[_FILE] = path


def _say(name: str, error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context and isinstance(error, click.BadParameter) and error.param:
        source = context.get_parameter_source(error.param.name)
        if source is click.ParameterSource.DEFAULT_MAP:
            error.param_hint = f"{error.param.get_error_hint(context)} in {context.meta[_FILE]!r}"
    message = " ".join(error.format_message().split())
    _print(f"{context.command_path if context else name}: {message}")


def _print(message: str) -> None:
    """Print one line, whatever characters a path or a name in it has; where it has nowhere to go, the code tells."""
    if sys.stderr is None:  # closed when we started; print() would take standard output in its place
        return
    try:
        print(escaped(message), file=sys.stderr)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nor could it be flushed on the way out
