"""`reconcile`: the counts of both sides against each other."""

import sys
from typing import Any

import click
import uvloop

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.options.option import option, wrong_value
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import Path
from stentor_client.output.json_output import JsonOutput
from stentor_client.output.standard_streams import write_out
from stentor_client.reconcile.base_url import BaseUrl
from stentor_client.reconcile.query import QueryType
from stentor_client.reconcile.reconciler import Reconciler, Sources
from stentor_client.reconcile.report import Report, console
from stentor_client.reconcile.side import Side

_CLIENT_ADMIN = "http://127.0.0.1:8082"
_METRICS = BaseUrl("/metrics")


@click.command()
@option("--server-admin", type=_METRICS, default="http://127.0.0.1:8081", help="The server's admin endpoint.")
@option(
    "--client-admin",
    type=_METRICS,
    multiple=True,
    default=(_CLIENT_ADMIN,),
    help="The client's admin endpoint; repeated, the counts of all clients add up.",
)
@option("--timeout", type=Duration(), default="10s", help="How long to look for a moment at which all agree.")
@option(
    "--during",
    type=Duration(),
    help="Compare only what is counted from now on for this long; else all since the start.",
    show_default=False,
)
@option("--prometheus", type=BaseUrl("/api/v1"), default="http://127.0.0.1:9090", help="Where to send the queries.")
@option(
    "--server-query",
    type=QueryType(Side.SERVER),
    multiple=True,
    metavar="NAME=PROMQL",
    help="Hold what this query returns against the server's count of that name; may be repeated.",
)
@option(
    "--client-query",
    type=QueryType(Side.CLIENT),
    multiple=True,
    metavar="NAME=PROMQL",
    help="The same against the client's. NAME: connections, sent_bytes or received_bytes.",
)
@option(
    "--json",
    type=Path(),
    metavar="FILE",
    help="Write the result there as JSON; -: on standard output, in place of the table.",
)
def reconcile(**options: Any) -> int:
    """Say whether server and clients counted the same connections and bytes; exit with 6 where they did not.

    Traffic may go on meanwhile. What the server's own health checks moved is left out.

    Example: stentor-client reconcile --server-admin http://server:8081 --client-admin http://client:8082
    """
    restore_sighup()
    clients = options["client_admin"]
    if len(set(clients)) < len(clients):
        raise wrong_value("client_admin", "one client is given twice, and would count twice")
    json, during = JsonOutput(options["json"]), options["during"]
    sources = Sources(
        server=options["server_admin"],
        clients=clients,
        prometheus=options["prometheus"],
        queries=(*dict.fromkeys(options["server_query"] + options["client_query"]),),
    )
    report = Report(uvloop.run(Reconciler(sources, options["timeout"]).run(during)), during)
    try:
        json.write(report.data())
    finally:  # a full disk does not cost the table
        if not json.in_place_of_text:
            write_out(_printed(report))
    return report.exit_code


def _printed(report: Report) -> bytes:
    """Return the table as this terminal, file or pipe takes it, without the blanks that fill its last column."""
    out = console(sys.stdout)
    with out.capture() as printed:
        report.print(out)
    lines = (line.rstrip() for line in printed.get().split("\n"))
    return "\n".join(lines).encode(out.encoding, "replace")
