"""A health check of a running server: an exchange with each worker, and readiness."""

import errno
import json
import os
import socket

import click

from stentor_chassis.admin.caller import ask, caller_options, why
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.path.transform import QUESTION, right_answer


@click.command()
@caller_options(8081)
def health(admin_host: str, admin_port: int, timeout: float) -> int:
    """Check that every worker of a running server answers, and that the server is ready; exit 0 if so.

    Run it on the server's machine or in its container, as the same user or root. It needs no other option of the
    server: limits, TLS and PROXY do not apply to it.

    Example: stentor-server health --admin-port 8081
    """
    where = f"{admin_host} port {admin_port}"
    _, body = ask(admin_host, admin_port, "/status", timeout)
    try:
        status = json.loads(body)
        names, expected = [*status["health_check_sockets"]], right_answer(status["config"]["transform"])
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(COULD_NOT_START, f"{where} is not the admin endpoint of a stentor-server") from error
    for worker, name in enumerate(names):
        try:
            answer = _exchange(name, timeout)
        except OSError as error:
            elsewhere = isinstance(error, ConnectionError)
            hint = "; run the check where the server runs, as its user or root" if elsewhere else ""
            raise Failure(COULD_NOT_START, f"no answer from worker {worker}: {why(error)}{hint}") from error
        if answer != expected:
            raise Failure(COULD_NOT_START, f"worker {worker} answered {answer!r} to {QUESTION!r}")
    code, _ = ask(admin_host, admin_port, "/readyz", timeout)
    if code != 200:
        raise Failure(COULD_NOT_START, f"the server at {where} is not ready: it is starting or stopping")
    return 0


def _exchange(name: str, timeout: float) -> bytes:
    """Send the question, and return the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect("\0" + name.removeprefix("@"))
        connection.sendall(QUESTION)
        answer = connection.recv(64)  # a worker answers two bytes at once
    if not answer:  # it closed the connection
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
    return answer
