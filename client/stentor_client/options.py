"""The options that the client's commands have in common."""

from typing import Any

import click

from stentor_chassis.options.option import build, option, options, wrong_value
from stentor_chassis.options.quantities import Duration, Size
from stentor_chassis.options.text import Path, Text
from stentor_client.wire.dialer import DialOptions
from stentor_client.wire.proxy_header import VERSIONS
from stentor_client.wire.target import TargetType

LARGEST_BYTES = 64 << 20
_SLOWEST, _FASTEST = 0.001, 1_000_000


# Where to connect to, and how.
dial_options = options(
    option("--target", type=TargetType(), default="127.0.0.1:8080", help="Where to: HOST:PORT or unix:PATH."),
    option(
        "--connect-timeout",
        "connect_timeout_seconds",
        type=Duration(),
        default="5s",
        help="How long connecting may take, TLS included.",
    ),
    option("--tls", is_flag=True, help="Speak TLS."),
    option("--tls-ca", type=Path(), metavar="FILE", help="Trust the authorities in this file (PEM), not the system's."),
    option("--tls-cert", type=Path(), metavar="FILE", help="Show the server this certificate (PEM)."),
    option(
        "--tls-key",
        type=Path(),
        metavar="FILE",
        help="Its private key; where it is not given, it is in the same file.",
    ),
    option(
        "--tls-server-name",
        type=Text(),
        metavar="NAME",
        help="The name that the certificate must have; else the host.",
    ),
    option(
        "--proxy-protocol",
        type=click.Choice(VERSIONS),
        help="Announce this connection's two ends first, as a proxy would.",
    ),
)

# What the replies must be, and when.
exchange_options = options(
    option(
        "--timeout", "timeout_seconds", type=Duration(), default="5s", help="How long a reply may take, or stand still."
    ),
    option("--expect", type=click.Choice(["upper", "echo"]), default="upper", help="What the replies must be."),
)


def dialing(values: dict[str, Any]) -> DialOptions:
    """Return what `dial_options` declared, and remove it from a command's options.

    Raises:
        click.BadParameter: an option that only TLS needs is given without --tls.

    """
    dial = build(DialOptions, values, target=str(values.pop("target")))
    for name in ("tls_ca", "tls_cert", "tls_key", "tls_server_name"):
        if getattr(dial, name) is not None and not dial.tls:
            raise wrong_value(name, "it needs --tls")
    if dial.tls_key and not dial.tls_cert:
        raise wrong_value("tls_key", "it needs --tls-cert")
    return dial


class Sizes(click.ParamType[list[int]]):
    """A list of sizes with commas between them."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Parse, or fail with what is wanted."""
        if isinstance(value, list):
            return value
        sizes = [Size().convert(part.strip(), param, ctx) for part in value.split(",")]
        if not all(0 < size <= LARGEST_BYTES for size in sizes):
            self.fail(f"{value!r} has a size that is not from 1 to 64MiB", param, ctx)
        return sizes


class Rate(click.ParamType[float]):
    """A number of exchanges per second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is wanted."""
        try:
            rate = float(value)
        except ValueError:
            rate = 0.0
        if not _SLOWEST <= rate <= _FASTEST:
            self.fail(f"{value!r} is not a rate per second from {_SLOWEST} to {_FASTEST}", param, ctx)
        return rate
