"""`probe`: the client as a service."""

from dataclasses import asdict
from typing import Any

import click

from stentor_chassis.control.control import Control, ControlOptions, Service
from stentor_chassis.control.listeners import Listeners
from stentor_chassis.counters.shared_counters import GONE
from stentor_chassis.kernel import check_calls
from stentor_chassis.logs.log import LogOptions
from stentor_chassis.options.option import admin_options, build, log_options, option
from stentor_chassis.options.quantities import Duration
from stentor_client import NAME, __version__
from stentor_client.metrics import EXCHANGES, LOST, SCHEMA, VIEW
from stentor_client.options import Rate, Sizes, dial_options, dialing, exchange_options
from stentor_client.probe.options import CONNECTION_MODES, RESOLVE_MODES, ProbeOptions
from stentor_client.verify.outcomes import Outcome, worst_exit_code
from stentor_client.wire.dialer import Dialer

_LONGEST_DRAIN_SECONDS = 8.0


@click.command()
@dial_options
@exchange_options
@option("--interval", "interval_seconds", type=Duration(), default="1s", help="Time from one exchange to the next.")
@option("--rate", type=Rate(), help="Exchanges per second; overrides --interval.", show_default=False)
@option("--sizes", type=Sizes(), default="64,1KiB,64KiB", help="Message sizes, used in turn.")
@option(
    "--connection",
    type=click.Choice(CONNECTION_MODES),
    default="persistent",
    help="Keep one connection, open one per exchange, or alternate.",
)
@option(
    "--resolve",
    type=click.Choice(RESOLVE_MODES),
    default="first",
    help="Probe the first address that answers, or each address separately.",
)
@option(
    "--count",
    type=click.IntRange(0),
    default=0,
    help="Stop after this many exchanges with each address (0 for no limit).",
)
@admin_options(8082)
@log_options
def probe(*, rate: float | None, **values: Any) -> int:
    """Exchange verified messages continuously; when --count is reached, exit with the code of the worst outcome.

    Example: stentor-client probe --target server:8080 --interval 250ms
    """
    check_calls()
    dial = dialing(values)
    Dialer(dial)  # fails now if a file cannot be used
    if rate:
        values["interval_seconds"] = 1 / rate
    options = build(ProbeOptions, values, dial=dial)
    control_options = ControlOptions(
        workers=1,
        # Long enough for an exchange in flight, within the time that `docker stop` allows.
        drain_seconds=min(dial.connect_timeout_seconds + options.timeout_seconds, _LONGEST_DRAIN_SECONDS),
        log=build(LogOptions, values, fd=2),
        **values,
    )
    service = Service(
        name=NAME,
        version=__version__,
        schema=SCHEMA,
        view=VIEW,
        worker_module="stentor_client.probe.worker",
    )
    control = Control(service, control_options, Listeners(), asdict(options))
    code = control.run()
    if not control.finished:
        return code
    counts = control.counters.row(GONE)
    ended = [outcome for outcome in Outcome if counts[SCHEMA.slot(EXCHANGES, outcome)]]
    if counts[SCHEMA.slot(LOST, Outcome.EXTRA)]:  # surplus bytes can arrive while no exchange is under way
        ended.append(Outcome.EXTRA)
    return worst_exit_code(ended)
