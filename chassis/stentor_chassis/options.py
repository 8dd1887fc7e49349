"""The command line: options that are flags and environment variables at once, and the one place a process exits."""

import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from stentor_chassis.descriptors import fill_standard
from stentor_chassis.failure import INTERNAL_ERROR, INTERRUPTED, USAGE, Failure

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST_SECONDS = 366 * 86400.0
_SIZE_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
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


class Duration(click.ParamType[float]):
    """A length of time such as `250ms`, `10s`, `2m`; the value is in seconds."""

    name = "duration"

    def __init__(self, *, zero: bool = False) -> None:
        """`zero` lets `0` stand, for what it can switch off."""
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is wanted."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value)
        seconds = float(match[1]) * _DURATION_UNITS[match[2]] if match else 0.0
        if (not seconds and not (self._zero and (match or value == "0"))) or seconds > _LONGEST_SECONDS:
            self.fail(f"{value!r} is not a duration such as 250ms, 10s or 2m, up to a year", param, ctx)
        return seconds


class Size(click.ParamType[int]):
    """A number of bytes such as `64`, `64KiB`, `1MiB`."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with what is wanted."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,12})(|B|KiB|MiB|GiB)", value)
        if not match:
            self.fail(f"{value!r} is not a size such as 64, 64KiB or 1MiB", param, ctx)
        return int(match[1]) * _SIZE_UNITS[match[2]]


class Workers(click.ParamType[int]):
    """A number of worker processes, or `auto`: as many as the processors this process may use."""

    name = "auto|number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with what is wanted."""
        if isinstance(value, int):
            return value
        if value == "auto":
            return usable_processors()
        if not re.fullmatch(r"[1-9]\d{0,2}", value):
            self.fail(f"{value!r} is neither auto nor a number from 1 to 999", param, ctx)
        return int(value)


def usable_processors() -> int:
    """Return how many processors this process may use: its affinity, cut to its container's limit, at least 1."""
    return max(1, min(len(os.sched_getaffinity(0)), int(_cgroup_processors())))


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


def _cgroup_processors() -> float:
    """Return the processor limit of this container, at least a fraction; infinite where there is none."""
    try:  # cgroup v2
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as limit:
            quota, period = limit.read().split()
    except FileNotFoundError:
        try:  # cgroup v1
            with (
                open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", encoding="ascii") as quotas,
                open("/sys/fs/cgroup/cpu/cpu.cfs_period_us", encoding="ascii") as periods,
            ):
                quota, period = quotas.read().strip(), periods.read().strip()
        except FileNotFoundError:
            return 9999
    return 9999 if quota in {"max", "-1"} else int(quota) / int(period)
