"""The command line of the client."""

from stentor_chassis.terminable import heed_hangup  # first, before what takes time to import

# isort: split
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from stentor_chassis.failure import INTERRUPTED, OK
from stentor_chassis.options import admin_options, group, log_options, option, run
from stentor_chassis.quantities import Duration, Size
from stentor_client import __version__
from stentor_client.target import TargetType

NAME = "stentor-client"

cli = group("Send over TCP, read the replies, and verify every byte of them.", __version__)


class Sizes(click.ParamType[list[int]]):
    """A list of sizes with commas between them."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Parse, or fail with what is wanted."""
        if isinstance(value, list):
            return value
        sizes = [Size().convert(part.strip(), param, ctx) for part in value.split(",")]
        if not all(0 < size <= _LARGEST for size in sizes):
            self.fail(f"{value!r} has a size that is not from 1 to 64MiB", param, ctx)
        return sizes


class Rate(click.ParamType[float]):
    """A number of exchanges per second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is wanted."""
        try:
            rate = float(value)
        except ValueError:
            rate = 0.0
        if not _SLOWEST <= rate <= _FASTEST:
            self.fail(f"{value!r} is not a rate per second from {_SLOWEST} to {_FASTEST}", param, ctx)
        return rate


_LARGEST = 64 << 20
_SLOWEST, _FASTEST = 0.001, 100_000
_LONGEST_DRAIN_SECONDS = 8.0


def _target_options(command: Callable[..., int]) -> Callable[..., int]:
    for declare in (
        option("--expect", type=click.Choice(["upper", "echo"]), default="upper", help="What the replies must be."),
        option("--timeout", type=Duration(), default="5s", help="How long a reply may take, or stand still."),
        option("--connect-timeout", type=Duration(), default="5s", help="How long connecting may take."),
        option("--target", type=TargetType(), default="127.0.0.1:8080", help="Where to: HOST:PORT or unix:PATH."),
    ):
        command = declare(command)
    return command


@cli.command()
@click.argument("text", nargs=-1)
@_target_options
def send(text: tuple[str, ...], **options: Any) -> int:
    """Send TEXT, or standard input, write the reply to standard output as it comes, and verify it.

    TEXT is sent as one line. Standard input is sent as it is, whatever it holds and however long it is. On a terminal,
    and without TEXT, each line you type is sent and its reply shown.

    Example: head -c 1G /dev/urandom | stentor-client send | sha256sum
    """
    from stentor_client.send import Sender

    heed_hangup()
    typed = not text and sys.stdin is not None and sys.stdin.isatty()
    if not typed:
        # At once, also while standard output is blocked: nothing is held back that could be lost.
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    sender = Sender(options["target"], options["expect"], options["timeout"], options["connect_timeout"])
    if text:
        sender.stream(" ".join(text).encode(errors="surrogateescape") + b"\n")
    elif typed:
        sender.converse()
    else:
        sender.stream()
    return OK


@cli.command()
@_target_options
@option("--interval", type=Duration(), default="1s", help="Time from one exchange to the next.")
@option("--rate", type=Rate(), help="Exchanges per second, in place of --interval.", show_default=False)
@option("--sizes", type=Sizes(), default="64,1KiB,64KiB", help="Message sizes, taken in turn.")
@option(
    "--connection",
    type=click.Choice(["persistent", "fresh"]),
    default="persistent",
    help="Keep one connection, or open one for each exchange.",
)
@option("--count", type=click.IntRange(0), default=0, help="Stop after this many exchanges; 0: never.")
@admin_options(8082)
@log_options
def probe(**options: Any) -> int:
    """Exchange verified messages continuously; exit with the worst outcome when --count is reached.

    Example: stentor-client probe --target server:8080 --interval 250ms
    """
    # Imported here, so that --help and `send` start in no time.
    from stentor_chassis.board import GONE
    from stentor_chassis.control import Control, ControlOptions, Service
    from stentor_chassis.listeners import Listeners
    from stentor_chassis.logs import LogOptions
    from stentor_client.metrics import EXCHANGES, SCHEMA
    from stentor_client.outcomes import Outcome, worst_exit_code
    from stentor_client.probe import ProbeOptions

    probe_options = ProbeOptions(
        target=str(options["target"]),
        interval_seconds=1 / options["rate"] if options["rate"] else options["interval"],
        connection=options["connection"],
        sizes=options["sizes"],
        count=options["count"],
        timeout_seconds=options["timeout"],
        connect_timeout_seconds=options["connect_timeout"],
        expect=options["expect"],
    )
    control_options = ControlOptions(
        workers=1,
        # An exchange in flight may end, within what `docker stop` allows.
        drain_seconds=min(options["connect_timeout"] + options["timeout"], _LONGEST_DRAIN_SECONDS),
        admin_host=options["admin_host"],
        admin_port=options["admin_port"],
        log=LogOptions(level=options["log_level"], format=options["log_format"], fd=2),
    )
    service = Service(
        name=NAME, version=__version__, schema=SCHEMA, worker_module="stentor_client.worker", reloads=False
    )
    control = Control(service, control_options, Listeners([], []), asdict(probe_options))
    code = control.run()
    if not control.finished:
        return code
    counts = control.board.row(GONE)
    return worst_exit_code(outcome for outcome in Outcome if counts[SCHEMA.slot(EXCHANGES, outcome)])


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
