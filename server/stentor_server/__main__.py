"""The command line of the server."""

import stentor_chassis.terminable  # noqa: F401 - first, before what takes time to import

# isort: split
import resource
from dataclasses import asdict
from typing import Any

import click

from stentor_chassis.options import admin_options, group, log_options, option, run, wrong_value
from stentor_chassis.processors import Workers
from stentor_chassis.quantities import Duration
from stentor_server import __version__

NAME = "stentor-server"
_SPARE_DESCRIPTORS = 100  # for all that is not a connection
_MOST_DESCRIPTORS = 1_000_000  # where the system sets no limit

cli = group("Upper-case every byte received over TCP and stream it back.", __version__)


def _listen_options(command: Any) -> Any:
    for declare in (
        option("--transform", type=click.Choice(["upper", "echo"]), default="upper", help="What happens to the bytes."),
        option("--port", type=click.IntRange(0, 65535), default=8080, help="Exchange port; 0 takes a free one."),
        option("--host", default="127.0.0.1", help="Address, or name, of the exchange port."),
    ):
        command = declare(command)
    return command


@cli.command()
@_listen_options
@option("--unix", metavar="PATH", help="Listen on this Unix socket as well.", show_default=False)
@option("--workers", type=Workers(), default="auto", help="Data processes; auto: one per usable processor.")
@option(
    "--max-connections",
    type=click.IntRange(1),
    help="Connections open at once, over all workers; more are refused.  [default: from the file-descriptor limit]",
    show_default=False,
)
@option("--backlog", type=click.IntRange(1, 65535), default=4096, help="Connections that may wait to be accepted.")
@option(
    "--idle-timeout", type=Duration(zero=True), default="10m", help="Close what moved no byte for this long; 0: never."
)
@option("--drain-timeout", type=Duration(), default="8s", help="How long a stop may wait for open connections.")
@admin_options(8081)
@log_options
def serve(**options: Any) -> int:
    """Serve until SIGTERM; SIGHUP replaces the workers one by one.

    Example: stentor-server serve --port 8080 --workers 2
    """
    # Imported here, so that --help and health checks start in no time.
    from stentor_chassis.control import Control, ControlOptions, Service
    from stentor_chassis.listeners import Listeners, bind_tcp, bind_unix
    from stentor_chassis.logs import LogOptions
    from stentor_server.metrics import SCHEMA, settle
    from stentor_server.server import ServerOptions

    most_connections = _raise_descriptor_limit() - _SPARE_DESCRIPTORS
    if not 1 <= (options["max_connections"] or 1) <= most_connections:
        raise wrong_value(
            "max_connections",
            f"there can be {max(0, most_connections)} at the most: the limit of file descriptors (ulimit -n), "
            f"less {_SPARE_DESCRIPTORS}",
        )
    service = Service(
        name=NAME, version=__version__, schema=SCHEMA, worker_module="stentor_server.worker", settle=settle
    )
    control_options = ControlOptions(
        workers=options["workers"],
        drain_seconds=options["drain_timeout"],
        admin_host=options["admin_host"],
        admin_port=options["admin_port"],
        log=LogOptions(level=options["log_level"], format=options["log_format"], fd=1),
    )
    server_options = ServerOptions(
        transform=options["transform"],
        backlog=options["backlog"],
        max_connections=options["max_connections"] or most_connections,
        idle_timeout_seconds=options["idle_timeout"],
        drain_timeout_seconds=options["drain_timeout"],
    )
    per_worker = bind_tcp(options["host"], options["port"], options["workers"], options["backlog"])
    shared = [bind_unix(options["unix"], options["backlog"])] if options["unix"] else []
    with Listeners(per_worker, shared) as listeners:
        return Control(service, control_options, listeners, asdict(server_options)).run()


@cli.command()
@_listen_options
@admin_options(8081)
@option("--timeout", type=Duration(), default="2s", help="How long the exchange may take.")
def health(**options: Any) -> int:
    """Make a real exchange with a running server, and ask whether it is ready; exit 0 if both are well.

    Example: stentor-server health --port 8080
    """
    from stentor_server.health import check

    check(**options)
    return 0


def _raise_descriptor_limit() -> int:
    """Raise this process's limit of file descriptors, which the workers inherit, as far as it goes; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
