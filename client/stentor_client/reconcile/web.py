"""Reading over HTTP what a service says of itself."""

import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from stentor_chassis.failure import Failure
from stentor_client.outcomes import NOT_REACHED

_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 16 << 20
# Directly: a proxy that the environment names for the way out has no way to loopback or into a container network.
_OPENER = build_opener(ProxyHandler({}))


def get(url: str) -> bytes:
    """Return what is there.

    Raises:
        HTTPError: it answers with an error, which can be read.
        Failure: in one line, why it cannot be read.

    """
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    parts, length = [], 0
    try:
        with _OPENER.open(url, timeout=_TIMEOUT_SECONDS) as response:
            while part := response.read1(1 << 20):
                parts.append(part)
                length += len(part)
                if length > _MOST_BYTES:
                    raise Failure(NOT_REACHED, f"cannot read {url}: it is longer than {_MOST_BYTES >> 20} MiB")
                if time.monotonic() > deadline:
                    raise TimeoutError
    except HTTPError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise Failure(NOT_REACHED, f"cannot read {url}: {_plain(error)}") from error
    return b"".join(parts)


def _plain(error: Exception) -> str:
    """Say in plain words what went wrong."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {_TIMEOUT_SECONDS:g} s"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return f"no HTTP is spoken there ({str(cause) or type(cause).__name__})"
