"""The options that the client's commands have in common."""

from collections.abc import Callable
from typing import Any

import click

from stentor_chassis.options.option import option, wrong_value
from stentor_chassis.options.quantities import Duration, Size
from stentor_chassis.options.text import Path, Text
from stentor_client.wire.dialer import DialOptions
from stentor_client.wire.proxy_header import VERSIONS
from stentor_client.wire.target import TargetType

LARGEST_BYTES = 64 << 20
_SLOWEST, _FASTEST = 0.001, 1_000_000


def dial_options(command: Callable[..., int]) -> Callable[..., int]:
    """Declare where to connect to, and how."""
    for declare in (
        option(
            "--proxy-protocol",
            type=click.Choice(VERSIONS),
            help="Announce this connection's two ends first, as a proxy would.",
        ),
        option(
            "--tls-server-name",
            type=Text(),
            metavar="NAME",
            help="The name that the certificate must have; else the host.",
        ),
        option(
            "--tls-key",
            type=Path(),
            metavar="FILE",
            help="Its private key; where it is not given, it is in the same file.",
        ),
        option("--tls-cert", type=Path(), metavar="FILE", help="Show the server this certificate (PEM)."),
        option(
            "--tls-ca", type=Path(), metavar="FILE", help="Trust the authorities in this file (PEM), not the system's."
        ),
        option("--tls", is_flag=True, help="Speak TLS."),
        option("--connect-timeout", type=Duration(), default="5s", help="How long connecting may take, TLS included."),
        option("--target", type=TargetType(), default="127.0.0.1:8080", help="Where to: HOST:PORT or unix:PATH."),
    ):
        command = declare(command)
    return command


def exchange_options(command: Callable[..., int]) -> Callable[..., int]:
    """Declare what the replies must be, and when."""
    for declare in (
        option("--expect", type=click.Choice(["upper", "echo"]), default="upper", help="What the replies must be."),
        option("--timeout", type=Duration(), default="5s", help="How long a reply may take, or stand still."),
    ):
        command = declare(command)
    return command


def taken_dial_options(options: dict[str, Any]) -> DialOptions:
    """Take what `dial_options` declared out of a command's options.

    Raises:
        click.BadParameter: where TLS is not asked for, and yet something that only TLS needs.

    """
    needing_tls = ("tls_ca", "tls_cert", "tls_key", "tls_server_name")
    taken = {name: options.pop(name) for name in ("tls", *needing_tls, "proxy_protocol")}
    for name in needing_tls:
        if taken[name] is not None and not taken["tls"]:
            raise wrong_value(name, "it needs --tls")
    if taken["tls_key"] and not taken["tls_cert"]:
        raise wrong_value("tls_key", "it needs --tls-cert")
    return DialOptions(
        target=str(options.pop("target")), connect_timeout_seconds=options.pop("connect_timeout"), **taken
    )


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
