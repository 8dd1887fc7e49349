"""Makes HTTP requests to services."""

import asyncio
import socket
import ssl
from typing import NamedTuple

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from stentor_chassis.failure import Failure
from stentor_client.verify.outcomes import NOT_REACHED, reason_of
from stentor_client.wire.lookup import look_up

_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 1 << 20
_EXCERPT_CHARACTERS = 300


class Answer(NamedTuple):
    """An answer of any status except a redirect."""

    status: int
    reason: str
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300


class _Resolver(AbstractResolver):
    """Looks names up without the event loop's thread pool, which at exit would wait for a silent name server."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a name, as text, because an IPv6 address may have a zone."""
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        return [
            ResolveResult(
                hostname=host,
                host=socket.getnameinfo(address, numeric)[0],
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, _, _, address in await look_up(host, port)
            if family in {socket.AF_UNSPEC, kind}
        ]

    async def close(self) -> None:
        """Do nothing: nothing is open."""


async def get(url: str) -> Answer:
    """Return the answer to a request for this URL, within five seconds.

    A redirect is refused, because the operator named the host to trust, and so is a body over 1 MiB. Proxies and
    credentials in the environment are ignored: a proxy cannot reach loopback or a container network.

    Raises:
        Failure: there is no complete answer; the message says why.

    """
    shown = url.partition("?")[0]
    try:
        async with (
            asyncio.timeout(_TIMEOUT_SECONDS),
            _session() as session,
            session.get(url, allow_redirects=False) as response,
        ):
            target = response.headers.get("Location")
            if 300 <= response.status < 400 and target is not None:
                raise Failure(NOT_REACHED, f"cannot read {shown}: it redirects to {excerpt(target)!r}; use that URL")
            return Answer(response.status, excerpt(response.reason or ""), await _body(shown, response.content))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Failure(NOT_REACHED, f"cannot read {shown}: {_reason(error)}") from error


def excerpt(text: str) -> str:
    """Return the beginning of a text of the other side, for a message of one line."""
    return " ".join(text[:_EXCERPT_CHARACTERS].split())


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Resolver(), force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A body is not decompressed, so a small one stays small.
        headers={"Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    )


async def _body(url: str, content: aiohttp.StreamReader) -> bytes:
    try:
        await content.readexactly(_MOST_BYTES + 1)
    except asyncio.IncompleteReadError as error:
        return error.partial
    raise Failure(NOT_REACHED, f"cannot read {url}: the answer is longer than {_MOST_BYTES >> 20} MiB")


def _reason(error: Exception) -> str:
    """Return the reason in plain words."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    match cause:
        case TimeoutError(errno=None):
            reason = f"no answer within {_TIMEOUT_SECONDS:g} s"
        case aiohttp.ClientPayloadError():
            reason = "the answer ended early"
        case aiohttp.ServerDisconnectedError():
            reason = "it closed the connection without an answer"
        case aiohttp.InvalidURL():
            reason = "the host name is invalid"
        case ssl.SSLError() | UnicodeError() | OSError(errno=int()):
            reason = reason_of(cause)
        case OSError():  # the addresses failed for different reasons
            reason = "none of its addresses can be reached"
        case _:
            reason = "it does not speak HTTP"
    return reason
