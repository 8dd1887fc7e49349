"""Reading over HTTP what a service says of itself."""

import io
import threading
from concurrent.futures import Future
from http.client import HTTPException, HTTPResponse, IncompleteRead
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from stentor_chassis.failure import Failure
from stentor_client.verify.outcomes import NOT_REACHED

_TIMEOUT_SECONDS = 5.0
_MOST_BYTES = 16 << 20
# Directly: a proxy that the environment names for the way out has no way to loopback or into a container network.
_OPENER = build_opener(ProxyHandler({}))


def get(url: str) -> bytes:
    """Return what is there.

    A thread reads, because a name that is looked up, or a head that comes byte by byte, knows no deadline; it is a
    daemon, because it cannot be called off.

    Raises:
        HTTPError: it answers with an error, which can be read.
        Failure: in one line, why it cannot be read.

    """
    answer: Future[bytes] = Future()
    threading.Thread(target=_answer, args=(url, answer), name="http", daemon=True).start()
    try:
        return answer.result(_TIMEOUT_SECONDS)
    except HTTPError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise Failure(NOT_REACHED, f"cannot read {url}: {_plain(error)}") from error


def _answer(url: str, answer: "Future[bytes]") -> None:
    try:
        with _OPENER.open(url, timeout=_TIMEOUT_SECONDS) as response:
            text = _read(url, response)
    except HTTPError as error:
        answer.set_exception(_whole(url, error))
    except Exception as error:  # noqa: BLE001 - raised where it can be answered
        answer.set_exception(error)
    else:
        answer.set_result(text)


def _whole(url: str, error: HTTPError) -> Exception:
    """Return an error with what follows its head read already, or what was in the way of that."""
    try:
        with error:
            text = _read(url, error)
    except Exception as other:  # noqa: BLE001 - raised where it can be answered
        return other
    return HTTPError(url, error.code, error.reason, error.headers, io.BytesIO(text))


def _read(url: str, response: "HTTPResponse | HTTPError") -> bytes:
    """Return what follows the head, whole."""
    parts, length = [], 0
    while part := response.read1(1 << 20):
        parts.append(part)
        length += len(part)
        if length > _MOST_BYTES:
            raise Failure(NOT_REACHED, f"cannot read {url}: it is longer than {_MOST_BYTES >> 20} MiB")
    if response.length:  # so much of what was announced did not come
        raise IncompleteRead(b"", response.length)
    return b"".join(parts)


def _plain(error: Exception) -> str:
    """Say in plain words what went wrong."""
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no answer within {_TIMEOUT_SECONDS:g} s"
    if isinstance(cause, IncompleteRead) and cause.expected:
        return f"{cause.expected} bytes of it did not come"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return f"no HTTP is spoken there ({str(cause) or type(cause).__name__})"
