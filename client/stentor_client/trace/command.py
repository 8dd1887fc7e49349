"""`trace`: shows one exchange part by part."""

from functools import partial
from typing import Any

import click

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.options.option import option
from stentor_client.options import MessageSize, dial_options, dialing, exchange_options
from stentor_client.output.json_output import JsonOutput, json_option
from stentor_client.output.terminal import show
from stentor_client.trace import tracer
from stentor_client.trace.waterfall import draw
from stentor_client.verify.message import MessageSource
from stentor_client.verify.verifier import EXPECTATIONS
from stentor_client.wire.dialer import Dialer


@click.command()
@click.argument("text", required=False)
@dial_options
@exchange_options
@option("--size", type=MessageSize(), help="Without TEXT, send a message of this size.", show_default=False)
@json_option("all figures")
def trace(
    text: str | None, *, size: int | None, json: str | None, timeout_seconds: float, expect: str, **dial: Any
) -> int:
    """Make one exchange and show when each part began and ended, as a waterfall.

    TEXT is sent as it is and defaults to `hello`. If the exchange fails, the waterfall ends with the part that failed,
    and the outcome determines the exit code.

    Example: stentor-client trace --target server:8080 --size 1MiB
    """
    restore_sighup()
    expected = EXPECTATIONS[expect]
    if text is None and size is not None:
        message, reply = MessageSource(size, expected).build(1, 0, size)
    else:
        message = (text or "hello").encode(errors="surrogateescape")
        reply = ((expected(message), 0, len(message)),)
    dialer = Dialer(dialing(dial))  # fails now if a file cannot be used
    output = JsonOutput(json)
    made = tracer.trace(dialer, message, reply, timeout_seconds)
    output.write(made.facts(), lambda: show(partial(draw, made)))
    return made.outcome.exit_code
