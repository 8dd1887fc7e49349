"""`reconcile`: compares the counts of both sides."""

from typing import Any

import click
import uvloop

from stentor_chassis.control.terminable import restore_sighup
from stentor_chassis.options.option import option, wrong_value
from stentor_chassis.options.quantities import Duration, Share
from stentor_client.output.json_output import JsonOutput, json_option
from stentor_client.output.terminal import show
from stentor_client.reconcile.base_url import BaseUrl
from stentor_client.reconcile.quantity import Side
from stentor_client.reconcile.query import QueryType
from stentor_client.reconcile.reconciler import Reconciler
from stentor_client.reconcile.report import Report
from stentor_client.reconcile.watch import Watch

_METRICS = BaseUrl("/metrics")
_PIPE_COLUMNS = 160  # so that pipes and files get no wrapped lines


@click.command()
@option(
    "--server-admin",
    type=_METRICS,
    multiple=True,
    default=("http://127.0.0.1:8081",),
    help="The server's admin endpoint; repeatable, to add up the counts of several servers.",
)
@option(
    "--client-admin",
    type=_METRICS,
    multiple=True,
    default=("http://127.0.0.1:8082",),
    help="The client's admin endpoint; repeatable, to add up the counts of several clients.",
)
@option("--timeout", type=Duration(), default="10s", help="Look this long for a moment when all counts agree.")
@option(
    "--during",
    type=Duration(),
    help="Compare only what is counted from now on, for this long. Default: all since the start.",
    show_default=False,
)
@option(
    "--max-difference",
    type=Share(),
    help="Accept differences up to this share of a count, such as 1%.",
)
@option("--prometheus", type=BaseUrl("/api/v1"), default="http://127.0.0.1:9090", help="Send the queries there.")
@option(
    "--server-query",
    type=QueryType(Side.SERVER),
    multiple=True,
    metavar="NAME=PROMQL",
    help="Compare the result of this query with the server's own count; repeatable.",
)
@option(
    "--client-query",
    type=QueryType(Side.CLIENT),
    multiple=True,
    metavar="NAME=PROMQL",
    help="The same for the client's count; repeatable. NAME is connections, sent_bytes or received_bytes.",
)
@json_option("the result")
def reconcile(**options: Any) -> int:
    """Compare the connections and bytes that servers and clients counted: exit 6 if they differ, 7 if unknown.

    Traffic may continue meanwhile. The server does not count its own health checks.

    Example: stentor-client reconcile --server-admin http://server:8081 --client-admin http://client:8082
    """
    restore_sighup()
    urls = {side: options[f"{side}_admin"] for side in Side}
    for side, given in urls.items():
        if len(set(given)) < len(given):
            raise wrong_value(f"{side}_admin", f"the same {side} is given twice, and would be counted twice")
    output, during = JsonOutput(options["json"]), options["during"]
    queries = dict.fromkeys(options["server_query"] + options["client_query"])
    watches = [Watch(options["prometheus"], query) for query in queries]
    reconciler = Reconciler(urls, watches, options["timeout"], options["max_difference"])
    report = Report(uvloop.run(reconciler.run(during)), during)
    output.write(report.data(), lambda: show(report.print, pipe_columns=_PIPE_COLUMNS))
    return report.exit_code
