"""`trace`: one exchange, part by part."""

from typing import Any

import click
from rich.console import Console

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.options.option import option, wrong_value
from stentor_chassis.options.quantities import Size
from stentor_chassis.options.text import Path
from stentor_client.options import LARGEST_BYTES, dial_options, dialing, exchange_options
from stentor_client.output.json_output import JsonOutput
from stentor_client.output.standard_streams import write_out
from stentor_client.trace.tracer import Trace, Tracer
from stentor_client.trace.waterfall import show
from stentor_client.verify.message import MessageSource
from stentor_client.verify.verifier import EXPECTATIONS


@click.command()
@click.argument("text", required=False)
@dial_options
@exchange_options
@option("--size", type=Size(), help="Without TEXT, send a message of this size.", show_default=False)
@option(
    "--json",
    type=Path(),
    metavar="FILE",
    help="Write all figures to FILE; -: standard output, in place of the waterfall.",
)
def trace(
    text: str | None, *, size: int | None, json: str | None, timeout_seconds: float, expect: str, **dial: Any
) -> int:
    """Make one exchange and show when each part of it began and ended, as a waterfall.

    TEXT is sent as it is, `hello` where there is none. Where the exchange fails the waterfall ends with the part that
    failed, and the exit code is that of the outcome.

    Example: stentor-client trace --target server:8080 --size 1MiB
    """
    restore_sighup()
    expected = EXPECTATIONS[expect]
    if size is not None and not 0 < size <= LARGEST_BYTES:
        raise wrong_value("size", "it is not from 1 to 64MiB")
    if text is None and size is not None:
        message, reply = MessageSource(size, expected).build(1, 0, size)
    else:
        message = (text or "hello").encode(errors="surrogateescape")
        reply = ((expected(message), 0, len(message)),)
    tracer = Tracer(dialing(dial), timeout_seconds)
    output = JsonOutput(json)
    made = tracer.trace(message, reply)
    try:
        output.write(made.facts())
    finally:  # a full disk does not cost the waterfall
        if not output.in_place_of_text:
            write_out(_drawn(made))
    return made.outcome.exit_code


def _drawn(made: Trace) -> bytes:
    """Return the waterfall as this terminal, file or pipe takes it."""
    console = Console(highlight=False)
    with console.capture() as drawn:
        show(made, console)
    return drawn.get().encode(console.encoding, "replace")
