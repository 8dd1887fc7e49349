"""Where to connect to, and the way there: resolve, connect."""

import asyncio
import errno
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from stentor_chassis.address import printable
from stentor_client.outcomes import ExchangeError, Outcome, of_connect_error

P = TypeVar("P", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port, or the path of a Unix socket."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """Return it as it was written."""
        if self.path:
            return f"unix:{self.path}"
        return printable((self.host, self.port))

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Parse `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; raise `ValueError` otherwise."""
        if text.startswith("unix:") and len(text) > len("unix:"):
            return cls("", 0, text.removeprefix("unix:"))
        match = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):(\d{1,5})", text)
        if not match or not 0 < int(match[3]) < 1 << 16:
            raise ValueError(f"{text!r} is not HOST:PORT, [IPV6]:PORT or unix:PATH")
        return cls(match[1] or match[2], int(match[3]))


class TargetType(click.ParamType[Target]):
    """A target on the command line."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        """Parse, or fail with what is wanted."""
        if isinstance(value, Target):
            return value
        try:
            return Target.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@dataclass(frozen=True, slots=True)
class Phases:
    """How long the way took, in nanoseconds."""

    resolve: int
    connect: int


async def connect(target: Target, timeout: float, protocol: Callable[[], P]) -> tuple[P, Phases]:
    """Resolve the target and connect to the first of its addresses that takes the connection.

    Raises:
        ExchangeError: with `dns`, `refused`, `unreachable`, `connect_timeout` or `reset`; `timeout`, in seconds, is
            for all of it together.

    """
    loop = asyncio.get_running_loop()
    begun = time.perf_counter_ns()
    try:
        async with asyncio.timeout(timeout):
            addresses = await _resolve(target)
            resolved = time.perf_counter_ns()
            connection = await _connect_first(addresses)
            connected = time.perf_counter_ns()
    except TimeoutError as error:
        raise ExchangeError(of_connect_error(error), f"{target}: no connection within {timeout:g} s") from error
    except UnicodeError as error:
        raise ExchangeError(Outcome.DNS, f"{target}: it is no host name") from error
    except OSError as error:
        plain = error.errno is not None and not isinstance(error, socket.gaierror)
        reason = os.strerror(error.errno) if plain and error.errno else error.strerror or str(error)
        raise ExchangeError(of_connect_error(error), f"{target}: {reason}") from error
    if connection.family == socket.AF_UNIX:
        _, made = await loop.create_unix_connection(protocol, sock=connection)
    else:
        _, made = await loop.create_connection(protocol, sock=connection)
    return made, Phases(resolved - begun, connected - resolved)


async def _resolve(target: Target) -> list[tuple[int, Any]]:
    if target.path:
        return [(socket.AF_UNIX, target.path)]
    found = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


async def _connect_first(addresses: list[tuple[int, Any]]) -> socket.socket:
    failure: OSError = OSError("the name has no address")
    for family, address in addresses:
        connection = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(connection, address)
            _refuse_self(connection)
        except OSError as error:
            connection.close()
            failure = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise failure


def _refuse_self(connection: socket.socket) -> None:
    """Raise where nobody listens, and the kernel drew the target's port for this end: TCP connects it to itself."""
    if connection.family != socket.AF_UNIX and connection.getsockname() == connection.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
