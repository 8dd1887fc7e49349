"""The options that the client's commands share."""

from typing import Any

import click

from stentor_chassis.options.option import build, option, options, wrong_value
from stentor_chassis.options.quantities import Duration, Size
from stentor_chassis.options.text import Path, Text
from stentor_client.verify.verifier import EXPECTATIONS
from stentor_client.wire.dialer import DialOptions
from stentor_client.wire.proxy_header import VERSIONS
from stentor_client.wire.target import TargetType

LARGEST_BYTES = 64 << 20
_SLOWEST, _FASTEST = 0.001, 1_000_000


# How to connect.
dial_options = options(
    option("--target", type=TargetType(), default="127.0.0.1:8080", help="The server: HOST:PORT or unix:PATH."),
    option(
        "--connect-timeout",
        "connect_timeout_seconds",
        type=Duration(),
        default="5s",
        help="Give up connecting, TLS included, after this long.",
    ),
    option("--tls", is_flag=True, help="Use TLS."),
    option(
        "--tls-ca",
        type=Path(),
        metavar="FILE",
        help="Trust the authorities in this file (PEM) instead of the system's.",
    ),
    option("--tls-cert", type=Path(), metavar="FILE", help="Client certificate (PEM)."),
    option(
        "--tls-key",
        type=Path(),
        metavar="FILE",
        help="Private key (PEM); defaults to the file given by --tls-cert.",
    ),
    option(
        "--tls-server-name",
        type=Text(),
        metavar="NAME",
        help="Name to verify in the server's certificate; defaults to the target's host.",
    ),
    option(
        "--proxy-protocol",
        type=click.Choice(VERSIONS),
        help="Send a PROXY header with this connection's addresses first, as a proxy would.",
    ),
)

# What to expect of the replies.
exchange_options = options(
    option(
        "--timeout",
        "timeout_seconds",
        type=Duration(),
        default="5s",
        help="How long to wait for a reply, or for progress in it.",
    ),
    option(
        "--expect",
        type=click.Choice([*EXPECTATIONS]),
        default="upper",
        help="The reply to expect: upper case, or the same bytes.",
    ),
)


def dialing(values: dict[str, Any]) -> DialOptions:
    """Remove the values of `dial_options` from a command's options, and return them.

    Raises:
        click.BadParameter: if an option that requires --tls is given without it.

    """
    dial = build(DialOptions, values, target=str(values.pop("target")))
    for name in ("tls_ca", "tls_cert", "tls_key", "tls_server_name"):
        if getattr(dial, name) is not None and not dial.tls:
            raise wrong_value(name, "requires --tls")
    if dial.tls_key and not dial.tls_cert:
        raise wrong_value("tls_key", "requires --tls-cert")
    return dial


class MessageSize(Size):
    """The size of a message."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, or fail with what is accepted."""
        size = super().convert(value, param, ctx)
        if not 0 < size <= LARGEST_BYTES:
            self.fail(f"{value!r} is not from 1 to 64MiB", param, ctx)
        return size


class Sizes(click.ParamType[list[int]]):
    """A comma-separated list of sizes."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        """Parse, or fail with what is accepted."""
        if isinstance(value, list):
            return value
        return [MessageSize().convert(part.strip(), param, ctx) for part in value.split(",")]


class Rate(click.ParamType[float]):
    """A number of exchanges per second."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail with what is accepted."""
        try:
            rate = float(value)
        except ValueError:
            rate = 0.0
        if not _SLOWEST <= rate <= _FASTEST:
            self.fail(f"{value!r} is not a rate per second from {_SLOWEST} to {_FASTEST}", param, ctx)
        return rate
