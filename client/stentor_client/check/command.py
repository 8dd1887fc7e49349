"""`check`: runs a battery of checks that prove a path."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.text import Text

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.options.option import option
from stentor_chassis.options.quantities import Duration
from stentor_client import __version__
from stentor_client.check import battery, report
from stentor_client.check.check import Check, Result
from stentor_client.check.subject import Subject
from stentor_client.options import MessageSize, dial_options, dialing, exchange_options
from stentor_client.output.json_output import JsonOutput, json_option
from stentor_client.output.terminal import show
from stentor_client.output.wording import timestamp


@click.command()
@dial_options
@exchange_options
@option("--largest", type=MessageSize(), default="16MiB", help="The largest message to try.")
@option("--idle", type=Duration(zero=True), default="10s", help="The longest silence to try (0 disables).")
@json_option("the results")
def check(*, largest: int, idle: float, json: str | None, timeout_seconds: float, expect: str, **dial: Any) -> int:
    """Test what can go wrong on a path, and report what passed, what failed, and the usual causes.

    Example: stentor-client check --target server:8080 --idle 5m
    """
    restore_sighup()
    subject = Subject(dialing(dial), expect, timeout_seconds, largest)
    output = JsonOutput(json)
    checks = battery.battery(largest, idle)
    started_at = timestamp(datetime.now(UTC).replace(microsecond=0))
    results = uvloop.run(_run(checks, subject))
    document = report.document(results, subject, started_at, __version__)
    output.write(document, lambda: show(partial(report.draw, results, subject)))
    return battery.exit_code(results)


async def _run(checks: Sequence[Check], subject: Subject) -> list[Result]:
    """Run the battery; if standard error is a terminal, show the current check there."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return await battery.run(checks, subject, lambda _: None)
    with console.status("") as status:
        return await battery.run(checks, subject, lambda each: status.update(Text(f"{each.name}: {each.proves}")))
