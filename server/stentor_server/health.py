"""The server's own health check: a real exchange, and readiness."""

import socket
import time
from http.client import HTTPConnection, HTTPException

from stentor_chassis.failure import COULD_NOT_START, Failure

QUESTION = b"aZ"
ANSWERS = {"upper": b"AZ", "echo": b"aZ"}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def check(host: str, port: int, admin_host: str, admin_port: int, transform: str, timeout: float) -> None:
    """Return when the server answers as it should and says that it is ready; raise `Failure` otherwise."""
    host, admin_host = _ANY.get(host, host), _ANY.get(admin_host, admin_host)
    try:
        answer = _exchange(host, port, timeout)
    except (OSError, UnicodeError) as error:
        raise Failure(COULD_NOT_START, f"no exchange with {host} port {port}: {error}") from error
    if answer != ANSWERS[transform]:
        raise Failure(COULD_NOT_START, f"{host} port {port} answered {answer!r} to {QUESTION!r}")
    admin = HTTPConnection(admin_host, admin_port, timeout=timeout)
    try:
        admin.request("GET", "/readyz")
        status = admin.getresponse().status
    except (OSError, UnicodeError, HTTPException) as error:
        raise Failure(COULD_NOT_START, f"no answer from {admin_host} port {admin_port}: {error}") from error
    finally:
        admin.close()
    if status != 200:
        raise Failure(COULD_NOT_START, f"{admin_host} port {admin_port} says not ready ({status})")


def _exchange(host: str, port: int, timeout: float) -> bytes:
    """Send the question, end our side, and read to the server's end, or to where it has answered too much."""
    deadline = time.monotonic() + timeout
    answer = b""
    with socket.create_connection((host, port), timeout) as connection:
        connection.sendall(QUESTION)
        connection.shutdown(socket.SHUT_WR)
        while len(answer) <= len(QUESTION):
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            part = connection.recv(64)
            if not part:
                break
            answer += part
    return answer
