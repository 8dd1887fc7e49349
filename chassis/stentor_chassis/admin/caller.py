"""Asks the admin endpoint of a service on this machine, for the service's health check."""

from http.client import HTTPConnection, HTTPException, InvalidURL

import click

from stentor_chassis.failure import COULD_NOT_START, USAGE, Failure
from stentor_chassis.options.network import Hosts
from stentor_chassis.options.option import PORTS, Declare, option, options, wrong_value
from stentor_chassis.options.quantities import Duration

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # by the wildcard address that includes it


def caller_options(port: int) -> Declare:
    """Declare where to ask, as the service's own options say it, and for how long."""
    return options(
        option("--admin-host", type=Hosts(), default="127.0.0.1", help="Address of the admin endpoint."),
        option(
            "--admin-port",
            type=PORTS,
            default=port,
            callback=_known_port,
            help="Port of the admin endpoint.",
        ),
        option("--timeout", type=Duration(), default="2s", help="Time-out of each step of the check."),
    )


def _known_port(_context: click.Context, parameter: click.Parameter, port: int) -> int:
    if not port:
        raise wrong_value(str(parameter.name), "0 makes the service pick a free port; give that port here")
    return port


def ask(host: str, port: int, path: str, timeout: float) -> tuple[int, bytes]:
    """Return status and body of an admin path; of several addresses in `host`, the first is asked.

    Raises:
        Failure: there was no answer; the message says why.

    """
    first = host.partition(",")[0]
    address = _LOOPBACK.get(first, first)
    try:
        connection = HTTPConnection(address, port, timeout=timeout)
    except InvalidURL as error:  # with blanks or control characters
        raise Failure(USAGE, f"{host!r} is not a host name: check --admin-host") from error
    try:
        # Every admin endpoint accepts this name; it may refuse the one of --admin-host.
        connection.request("GET", path, headers={"Host": "localhost"})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, UnicodeError, HTTPException) as error:
        message = f"no answer from the admin endpoint at {address} port {port}: {why(error)}"
        raise Failure(COULD_NOT_START, message) from error
    finally:
        connection.close()


def why(error: Exception) -> str:
    """Return in words why there was no answer."""
    if isinstance(error, TimeoutError | BlockingIOError):  # the queue of a Unix socket is full
        return "timed out"
    if isinstance(error, UnicodeError):
        return "it is not a host name"
    return getattr(error, "strerror", None) or "the answer is not HTTP, or incomplete"
