"""What the command line says to every worker, and the options that say it."""

from dataclasses import dataclass

import click

from stentor_chassis.options.network import Network
from stentor_chassis.options.option import option, options
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import File, Path, Text
from stentor_server.faults.fault import InjectionType

_OR_NEVER = Duration(zero=True)
TRANSFORMS = click.Choice(["upper", "echo"])
HEADERS = click.Choice(["off", "v1", "v2", "any"])
PORTS = click.IntRange(0, 65535)

exchange_options = options(
    option(
        "--host",
        type=Text(),
        default="127.0.0.1",
        help="Addresses, or names, of the exchange port, separated by commas.",
    ),
    option("--port", type=PORTS, default=8080, help="Exchange port; 0 takes a free one."),
    option(
        "--unix", type=Path(), metavar="PATH", help="Listen on this Unix socket as well: without TLS, PROXY or --allow."
    ),
    option("--transform", type=TRANSFORMS, default="upper", help="What happens to the bytes."),
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
        type=HEADERS,
        default="off",
        help="Every connection begins with a PROXY header of this version.",
    ),
)
limit_options = options(
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
    option(
        "--idle-timeout",
        "idle_timeout_seconds",
        type=_OR_NEVER,
        default="10m",
        help="Close what moved no byte for this long; 0: never.",
    ),
    option(
        "--write-timeout",
        "write_timeout_seconds",
        type=_OR_NEVER,
        default="1m",
        help="Close a peer that reads none of the answers that wait for it for this long; 0: never.",
    ),
    option(
        "--half-close-timeout",
        "half_close_timeout_seconds",
        type=_OR_NEVER,
        default="1m",
        help="Close a peer that has ended its side and not read all its answers after this long; 0: never.",
    ),
    option(
        "--max-age",
        "max_age_seconds",
        type=_OR_NEVER,
        default="0",
        help="End a connection in order after this long; 0: never.",
    ),
    option(
        "--drain-timeout",
        "drain_timeout_seconds",
        type=Duration(),
        default="8s",
        help="How long a stop may wait for open connections.",
    ),
)
trust_options = options(
    option(
        "--tls-client-ca",
        type=File(),
        metavar="FILE",
        help="Take only clients with a certificate of these authorities (PEM).",
    ),
    option("--proxy-from", type=Network(), multiple=True, help="Proxies whose PROXY headers count; may be repeated."),
)
fault_options = options(
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Plain data, for it travels as JSON, and `/status` shows it; a time-out of 0 seconds is none."""

    transform: str = "upper"
    max_connections: int
    backlog: int = 0  # the control process has seen to it; here for those who look
    max_connections_per_address: int = 0  # 0: no limit
    allow: tuple[str, ...] = ()  # networks; empty: everybody
    idle_timeout_seconds: float = 0.0
    write_timeout_seconds: float = 0.0
    half_close_timeout_seconds: float = 0.0
    max_age_seconds: float = 0.0
    drain_timeout_seconds: float
    proxy_protocol: str = "off"
    proxy_from: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    fault: tuple[str, ...] = ()  # as `Injection` reads them
    fault_seed: int | None = None
