"""The options of `serve`, and the dataclass that carries them to every worker."""

from dataclasses import dataclass

import click

from stentor_chassis.options.network import Hosts, Network
from stentor_chassis.options.option import PORTS, Declare, option, options
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import File, FileMode, SocketPath
from stentor_server.faults.fault import InjectionType
from stentor_server.path.transform import TRANSFORMS


def _timeout(flag: str, default: str, text: str, *, zero: bool = True) -> Declare:
    """Return a duration option, passed to the command in seconds."""
    name = flag.removeprefix("--").replace("-", "_") + "_seconds"
    return option(flag, name, type=Duration(zero=zero), default=default, help=text)


exchange_options = options(
    option("--host", type=Hosts(), default="127.0.0.1", help="Addresses or names to listen on, separated by commas."),
    option("--port", type=PORTS, default=8080, help="Port to listen on; 0 picks a free one."),
    option(
        "--unix",
        type=SocketPath(),
        metavar="PATH",
        help="Also listen on this Unix socket, without TLS, PROXY or --allow.",
    ),
    option(
        "--unix-mode",
        type=FileMode(),
        default="0600",
        help="File mode of the Unix socket, in octal; whoever may write to it may connect.",
    ),
    option("--transform", type=click.Choice([*TRANSFORMS]), default="upper", help="What the server does to the bytes."),
    option("--tls-cert", type=File(), metavar="FILE", help="Serve TLS with this certificate chain (PEM)."),
    option(
        "--tls-key", type=File(), metavar="FILE", help="Private key (PEM); defaults to the file given by --tls-cert."
    ),
    option(
        "--tls-client-ca",
        type=File(),
        metavar="FILE",
        help="Require client certificates signed by these authorities (PEM).",
    ),
    option(
        "--proxy-protocol",
        type=click.Choice(["off", "v1", "v2", "any"]),
        default="off",
        help="Require a PROXY header of this version on every TCP connection.",
    ),
    option("--proxy-from", type=Network(), multiple=True, help="Accept PROXY headers from this network; repeatable."),
)
limit_options = options(
    option(
        "--max-connections",
        type=click.IntRange(1),
        help="Limit of open connections, across all workers; more are rejected.  [default: as many as the "
        "file-descriptor limit allows]",
        show_default=False,
    ),
    option(
        "--max-connections-per-address", type=click.IntRange(1), help="Limit of open connections per client address."
    ),
    option("--allow", type=Network(), multiple=True, help="Accept only clients in this network; repeatable."),
    option(
        "--backlog",
        type=click.IntRange(1, 65535),
        default=4096,
        help="Connections that the kernel queues per listener.",
    ),
    _timeout("--idle-timeout", "10m", "Close connections idle for this long (0 disables)."),
    _timeout(
        "--write-timeout", "1m", "Close connections whose peer reads no pending answers for this long (0 disables)."
    ),
    _timeout(
        "--half-close-timeout",
        "1m",
        "Close half-closed connections whose peer has not read all answers after this long (0 disables).",
    ),
    _timeout("--max-age", "0", "Close connections gracefully at this age, ±10 % (0 disables)."),
    _timeout("--drain-timeout", "8s", "How long a graceful shutdown waits for open connections.", zero=False),
    _timeout("--shutdown-delay", "0", "Keep serving, but not ready, for this long after SIGTERM (0 disables)."),
)
fault_options = options(
    option(
        "--fault",
        type=InjectionType(),
        multiple=True,
        help="Inject this fault with this probability per answer (refuse: per connection), such as corrupt=0.01 or "
        "delay=0.1:200ms; repeatable.",
    ),
    option("--fault-seed", type=click.IntRange(0), help="Seed of the random faults, to repeat a run."),
    option("--allow-faults", is_flag=True, help="Confirm --fault, which is not for production."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Plain data, because it is passed as JSON and `/status` shows it; a time-out of 0 is disabled."""

    transform: str = "upper"
    max_connections: int
    backlog: int = 0  # used by the control process; here for `/status`
    max_connections_per_address: int = 0  # 0: no limit
    allow: tuple[str, ...] = ()  # networks; empty: all clients
    idle_timeout_seconds: float = 0.0
    write_timeout_seconds: float = 0.0
    half_close_timeout_seconds: float = 0.0
    max_age_seconds: float = 0.0
    drain_timeout_seconds: float
    shutdown_delay_seconds: float = 0.0  # used by the control process; here for `/status`
    proxy_protocol: str = "off"
    proxy_from: tuple[str, ...] = ()
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_client_ca: str | None = None
    fault: tuple[str, ...] = ()  # as `Injection` parses them
    fault_seed: int | None = None
