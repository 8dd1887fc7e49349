"""Running a command line: its commands, its configuration file, its errors, and the exit of the process."""

import io
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NoReturn

import click

from stentor_chassis.descriptors import fill_standard
from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, NO_MEMORY, USAGE, Failure, report, shortage
from stentor_chassis.options import config_file
from stentor_chassis.options.option import option
from stentor_chassis.options.text import Path

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_OPEN_FILES = 12  # that every command needs
_FILE = "stentor_chassis.options.command_line.file"  # the key in a context for the path of the configuration file


class Commands(click.Group):
    """Commands that are imported when used, and that can read a configuration file."""

    def __init__(self, modules: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        """Import each command from its module when it is used; `--help` shows its summary without."""
        super().__init__(**attributes)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return sorted({*self._modules, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, imported if necessary."""
        if cmd_name in self._modules and cmd_name not in self.commands:
            self.add_command(getattr(import_module(self._modules[cmd_name][0]), cmd_name))
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the summaries of all commands."""
        summaries = {name: command.get_short_help_str() for name, command in self.commands.items()}
        summaries |= {name: summary for name, (_, summary) in self._modules.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(summaries.items()))

    def all_commands(self) -> list[click.Command]:
        """Return all commands, in the order of declaration."""
        for name in self._modules:
            self.get_command(click.Context(self), name)
        return [*self.commands.values()]

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command, with an option for the configuration file."""
        declare = option(
            "--config",
            type=Path(),
            metavar="FILE",
            is_eager=True,  # read before the other options
            expose_value=False,
            callback=self._configure,
            help="Read options from this TOML file; flags and variables override it.",
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


def group(help_text: str, version: str, modules: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> Commands:
    """Return the commands of a service; `modules` maps the name of each to its module and a summary."""
    commands = Commands(modules, help=help_text, context_settings=_CONTEXT)
    return click.version_option(version, "-V", "--version", message="%(prog)s %(version)s")(commands)


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command line and exit; nothing else ends the process of a service."""
    fill_standard()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for characters that the locale lacks
    try:
        _check_open_files()
        code = command.main(prog_name=name, standalone_mode=False)
        if sys.stdout is not None:  # closed when the process started
            sys.stdout.flush()
    except click.ClickException as error:
        code = USAGE
        _report_usage(name, error)
    except Failure as failure:
        code = failure.code
        if failure.message:
            report(f"{name}: {failure.message}")
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except MemoryError:
        code = INTERNAL_ERROR
        report(f"{name}: {NO_MEMORY}")
    except OSError as error:  # only writing our own output is not handled elsewhere
        code = INTERNAL_ERROR
        report(f"{name}: {error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # otherwise flushing it at exit would fail again
    sys.exit(code)


def _check_open_files() -> None:
    """Raise `Failure` if there is no room for the descriptors of an event loop, which fails with a traceback then."""
    found: list[int] = []
    try:
        found.extend(os.dup(0) for _ in range(_OPEN_FILES))
    except OSError as error:
        raise Failure(INTERNAL_ERROR, shortage(error.errno)) from error
    finally:
        for fd in found:
            os.close(fd)


def _report_usage(name: str, error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context and isinstance(error, click.BadParameter) and error.param:
        source = context.get_parameter_source(error.param.name)
        if source is click.ParameterSource.DEFAULT_MAP:
            error.param_hint = f"{error.param.get_error_hint(context)} in {context.meta[_FILE]!r}"
    message = " ".join(error.format_message().split())
    report(f"{context.command_path if context else name}: {message}")
