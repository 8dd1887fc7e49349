"""The command line of the server."""

from stentor_chassis.control.terminable import heed_interrupt  # first, before what takes time to import

# isort: split
from collections.abc import Callable
from functools import reduce
from typing import Any

import click

from stentor_chassis.options.network import Network
from stentor_chassis.options.option import admin_options, group, log_options, option, run, wrong_value
from stentor_chassis.options.processors import Workers
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import File, Path, Text
from stentor_server import __version__
from stentor_server.faults.fault import InjectionType

NAME = "stentor-server"
_OR_NEVER = Duration(zero=True)

cli = group("Upper-case every byte received over TCP and stream it back.", __version__)


def _all(*options: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Declare several options, in the order in which the help shows them."""
    return lambda command: reduce(lambda declared, declare: declare(declared), reversed(options), command)


_TRANSFORMS = click.Choice(["upper", "echo"])
_HEADERS = click.Choice(["off", "v1", "v2", "any"])
_PORTS = click.IntRange(0, 65535)

_exchange_options = _all(
    option(
        "--host",
        type=Text(),
        default="127.0.0.1",
        help="Addresses, or names, of the exchange port, separated by commas.",
    ),
    option("--port", type=_PORTS, default=8080, help="Exchange port; 0 takes a free one."),
    option(
        "--unix", type=Path(), metavar="PATH", help="Listen on this Unix socket as well: without TLS, PROXY or --allow."
    ),
    option("--transform", type=_TRANSFORMS, default="upper", help="What happens to the bytes."),
    option(
        "--tls-cert",
        type=File(),
        metavar="FILE",
        help="Speak TLS, with this certificate and what is needed to trust it (PEM).",
    ),
    option(
        "--tls-key", type=File(), metavar="FILE", help="Its private key; where it is not given, it is in the same file."
    ),
    option(
        "--proxy-protocol",
        type=_HEADERS,
        default="off",
        help="Every connection begins with a PROXY header of this version.",
    ),
)
_limit_options = _all(
    option(
        "--max-connections",
        type=click.IntRange(1),
        help="Connections open at once, over all workers; more are refused.  [default: what the file-descriptor limit "
        "has room for]",
        show_default=False,
    ),
    option("--max-connections-per-address", type=click.IntRange(1), help="Of these, from one client address."),
    option("--allow", type=Network(), multiple=True, help="Client addresses that may connect; may be repeated."),
    option("--backlog", type=click.IntRange(1, 65535), default=4096, help="Connections that may wait to be accepted."),
    option("--idle-timeout", type=_OR_NEVER, default="10m", help="Close what moved no byte for this long; 0: never."),
    option(
        "--write-timeout",
        type=_OR_NEVER,
        default="1m",
        help="Close a peer that reads none of the answers that wait for it for this long; 0: never.",
    ),
    option(
        "--half-close-timeout",
        type=_OR_NEVER,
        default="1m",
        help="Close a peer that has ended its side and not read all its answers after this long; 0: never.",
    ),
    option("--max-age", type=_OR_NEVER, default="0", help="End a connection in order after this long; 0: never."),
    option("--drain-timeout", type=Duration(), default="8s", help="How long a stop may wait for open connections."),
)
_trust_options = _all(
    option(
        "--tls-client-ca",
        type=File(),
        metavar="FILE",
        help="Take only clients with a certificate of these authorities (PEM).",
    ),
    option("--proxy-from", type=Network(), multiple=True, help="Proxies whose PROXY headers count; may be repeated."),
)
_fault_options = _all(
    option(
        "--fault",
        type=InjectionType(),
        multiple=True,
        help="Do this wrong, on purpose, with this share of the answers (refuse: of the connections), such as "
        "corrupt=0.01 or delay=0.1:200ms; may be repeated.",
    ),
    option("--fault-seed", type=int, metavar="NUMBER", help="Draw the same faults in each run."),
    option(
        "--allow-faults", is_flag=True, help="Without this --fault is refused, so that nobody ships it by accident."
    ),
)
_health_options = _all(
    option("--host", type=Text(), default="127.0.0.1", help="Where the server listens; of several the first is asked."),
    option("--port", type=_PORTS, default=8080, help="Its exchange port."),
    option("--unix", type=Path(), metavar="PATH", help="Ask over this Unix socket instead: without TLS or PROXY."),
    option("--transform", type=_TRANSFORMS, default="upper", help="What the server does with the bytes."),
    option(
        "--tls-cert",
        type=File(),
        metavar="FILE",
        help="Speak TLS; the server's own certificate, which it may ask for (PEM).",
    ),
    option(
        "--tls-key", type=File(), metavar="FILE", help="Its private key; where it is not given, it is in the same file."
    ),
    option("--proxy-protocol", type=_HEADERS, default="off", help="Begin with a PROXY header of this version."),
    option("--admin-host", type=Text(), default="127.0.0.1", help="Where the admin endpoint listens."),
    option("--admin-port", type=_PORTS, default=8081, help="The admin port."),
    option("--timeout", type=Duration(), default="2s", help="How long the exchange may take."),
)


@cli.command()
@_exchange_options
@_trust_options
@option("--workers", type=Workers(), default="auto", help="Data processes; auto: one per usable processor.")
@_limit_options
@_fault_options
@admin_options(8081)
@log_options
def serve(**options: Any) -> int:
    """Serve until SIGTERM; SIGHUP replaces the workers one by one, and reads the TLS files anew.

    Example: stentor-server serve --port 8080 --workers 2
    """
    # Imported here, so that --help and health checks start in no time.
    from stentor_server.control import serve as run_service

    return run_service(NAME, __version__, options)


@cli.command()
@_health_options
def health(**options: Any) -> int:
    """Make a real exchange with a running server, and ask whether it is ready; exit 0 if both are well.

    It talks as the server's options say, over the Unix socket if there is one. Otherwise this machine's own address
    must be among those of --allow and --proxy-from, and with --tls-client-ca the server's own certificate must do.

    Example: stentor-server health --port 8080
    """
    from stentor_server.health import Health

    for port, needed in (("port", not options["unix"]), ("admin_port", True)):
        if needed and not options[port]:
            raise wrong_value(port, "0 lets a server take a free port; say here which one it took")
    Health(**options).check()
    return 0


heed_interrupt()


def main() -> None:
    """Run the command line."""
    run(cli, NAME)


if __name__ == "__main__":
    main()
