"""`check`: runs a battery of checks that prove a path."""

import asyncio
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.text import Text

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.failure import Failure
from stentor_chassis.options.option import option, wrong_value
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import Listed
from stentor_client.check import battery, report
from stentor_client.check.check import Check, Result
from stentor_client.check.subject import Subject
from stentor_client.options import MessageSize, dial_options, dialing, exchange_options
from stentor_client.output.json_output import JsonOutput, json_option
from stentor_client.output.terminal import show
from stentor_client.output.wording import timestamp


class _Name(Listed, click.Choice[str]):
    """The name of a check."""


NAME = _Name([kind.name for kind in battery.KINDS])


@click.command()
@dial_options
@exchange_options
@option("--largest", type=MessageSize(), default="16MiB", help="The largest message to try.")
@option("--idle", type=Duration(zero=True), default="10s", help="The longest silence to try (0 disables).")
@option("--only", type=NAME, multiple=True, metavar="CHECK", help="Run only this check and those it needs; repeatable.")
@option(
    "--skip",
    type=NAME,
    multiple=True,
    metavar="CHECK",
    help="Leave this check out, unless another needs it; repeatable.",
)
@json_option("the results")
def check(
    *,
    largest: int,
    idle: float,
    only: Sequence[str],
    skip: Sequence[str],
    json: str | None,
    timeout_seconds: float,
    expect: str,
    **dial: Any,
) -> int:
    """Test what can go wrong on a path, and report what passed, what failed, and the usual causes.

    Checks: connect, answer, byte-values, sizes, segmentation, half-close, full-duplex, idle, concurrency, addresses.

    Example: stentor-client check --target server:8080 --idle 5m
    """
    restore_sighup()
    subject = Subject(dialing(dial), expect, timeout_seconds, largest)
    output = JsonOutput(json)
    checks = battery.battery(largest, idle, only, skip)
    if not checks:
        raise wrong_value("only" if only else "skip", "no check is left")
    started_at = timestamp(datetime.now(UTC).replace(microsecond=0))
    results: list[Result] = []
    try:
        interrupted_by = uvloop.run(_run(checks, subject, results, shown=json != "-"))
        code = 128 + interrupted_by if interrupted_by else battery.exit_code(results)
    except Failure as failure:  # the reader of the table has gone; the file is still written
        code = failure.code
    left = checks[len(results) :]
    document = report.document(results, subject, started_at, complete=not left, exit_code=code)
    output.write(document, lambda: show(partial(report.draw_summary, results, left)))
    return code


async def _run(checks: Sequence[Check], subject: Subject, results: list[Result], *, shown: bool) -> int:
    """Run the battery to its end or until a signal, which is returned; show each result as soon as there is one."""
    status = Console(stderr=True).status("")  # shows nothing unless that is a terminal

    def begin(check: Check) -> None:
        status.update(Text(f"{check.name}: {check.proves}"))
        status.start()

    def end(result: Result) -> None:
        results.append(result)
        status.stop()
        if shown:
            show(partial(report.draw_row, result))

    if shown:
        show(partial(report.draw_head, subject))
    interrupted_by: list[int] = []
    running = asyncio.ensure_future(battery.run(checks, subject, begin, end))

    def interrupt(number: int) -> None:
        interrupted_by.append(number)
        running.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt, number)
    try:
        await running
    except asyncio.CancelledError:
        if not interrupted_by:
            raise
    finally:
        status.stop()
    return next(iter(interrupted_by), 0)
