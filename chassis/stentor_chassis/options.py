"""The command line: options that are flags and environment variables at once, and the one place a process exits."""

import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from stentor_chassis.descriptors import fill_standard
from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, USAGE, Failure

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def option(flag: str, **attributes: Any) -> Callable[[Any], Any]:
    """Declare an option once: `--some-flag` is also `STENTOR_SOME_FLAG`, and the help shows both and the default."""
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    attributes.setdefault("show_default", True)
    return click.option(flag, envvar=variable, show_envvar=True, **attributes)


def group(help_text: str, version: str) -> click.Group:
    """Return the group that a service's commands hang on."""
    commands = click.Group(help=help_text, context_settings=_CONTEXT)
    return click.version_option(version, "-V", "--version", message="%(prog)s %(version)s")(commands)


def admin_options(port: int) -> Callable[[Any], Any]:
    """Declare where the admin endpoint listens."""

    def declare(command: Any) -> Any:
        command = option("--admin-port", type=click.IntRange(0, 65535), default=port, help="Admin port.")(command)
        return option("--admin-host", default="127.0.0.1", help="Address the admin endpoint listens on.")(command)

    return declare


def log_options(command: Any) -> Any:
    """Declare how the service logs."""
    formats = click.Choice(["auto", "json", "console"])
    levels = click.Choice(["debug", "info", "warning", "error"])
    command = option("--log-format", type=formats, default="auto", help="auto: console on a terminal, else JSON.")(
        command
    )
    return option("--log-level", type=levels, default="info", help="Least level that is logged.")(command)


def run(command: click.Command, name: str) -> NoReturn:
    """Run a command line and exit: nothing else in a service ends the process."""
    fill_standard()
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
            print(f"{name}: {failure.message}", file=sys.stderr)
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except OSError as error:  # all others are answered where they arise: this is our output that cannot be written
        code = INTERNAL_ERROR
        print(f"{name}: {error.strerror or error}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor could it be flushed on the way out
    sys.exit(code)


def _say(name: str, error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    message = " ".join(error.format_message().split())
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else name
    print(f"{command}: {message}", file=sys.stderr)
