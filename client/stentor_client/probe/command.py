"""`probe`: a service that exchanges for as long as it lives."""

from dataclasses import asdict
from typing import Any

import click

from stentor_chassis.options.option import admin_options, log_options, option
from stentor_chassis.options.quantities import Duration
from stentor_client import NAME, __version__
from stentor_client.options import Rate, Sizes, dial_options, exchange_options, taken_dial_options
from stentor_client.probe.options import CONNECTIONS, RESOLVES, ProbeOptions

_LONGEST_DRAIN_SECONDS = 8.0


@click.command()
@dial_options
@exchange_options
@option("--interval", type=Duration(), default="1s", help="Time from one exchange to the next.")
@option("--rate", type=Rate(), help="Exchanges per second, in place of --interval.", show_default=False)
@option("--sizes", type=Sizes(), default="64,1KiB,64KiB", help="Message sizes, taken in turn.")
@option(
    "--connection",
    type=click.Choice(CONNECTIONS),
    default="persistent",
    help="Keep one connection, open one for each exchange, or take turns.",
)
@option(
    "--resolve",
    type=click.Choice(RESOLVES),
    default="first",
    help="Probe the first address that takes the connection, or each address by itself.",
)
@option("--count", type=click.IntRange(0), default=0, help="Stop after this many exchanges with each; 0: never.")
@admin_options(8082)
@log_options
def probe(**options: Any) -> int:
    """Exchange verified messages continuously; exit with the worst outcome when --count is reached.

    Example: stentor-client probe --target server:8080 --interval 250ms
    """
    from stentor_chassis.control.control import Control, ControlOptions, Service
    from stentor_chassis.control.listeners import Listeners
    from stentor_chassis.counters.board import GONE
    from stentor_chassis.logs.log import LogOptions
    from stentor_client.metrics import EXCHANGES, LOST, SCHEMA, VIEW
    from stentor_client.verify.outcomes import Outcome, worst_exit_code
    from stentor_client.wire.dialer import Dialer

    dial = taken_dial_options(options)
    Dialer(dial)  # what cannot be used is said now
    probe_options = ProbeOptions(
        dial=dial,
        interval_seconds=1 / options["rate"] if options["rate"] else options["interval"],
        connection=options["connection"],
        resolve=options["resolve"],
        sizes=options["sizes"],
        count=options["count"],
        timeout_seconds=options["timeout"],
        expect=options["expect"],
    )
    control_options = ControlOptions(
        workers=1,
        # An exchange in flight may end, within what `docker stop` allows.
        drain_seconds=min(dial.connect_timeout_seconds + options["timeout"], _LONGEST_DRAIN_SECONDS),
        admin_host=options["admin_host"],
        admin_port=options["admin_port"],
        log=LogOptions(level=options["log_level"], format=options["log_format"], fd=2),
    )
    service = Service(
        name=NAME,
        version=__version__,
        schema=SCHEMA,
        view=VIEW,
        worker_module="stentor_client.probe.worker",
        reloads=False,
    )
    control = Control(service, control_options, Listeners([], []), asdict(probe_options))
    code = control.run()
    if not control.finished:
        return code
    counts = control.board.row(GONE)
    ended = [outcome for outcome in Outcome if counts[SCHEMA.slot(EXCHANGES, outcome)]]
    if counts[SCHEMA.slot(LOST, Outcome.EXTRA)]:  # these bytes may come while no exchange is under way
        ended.append(Outcome.EXTRA)
    return worst_exit_code(ended)
