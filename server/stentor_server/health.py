"""A health check of a running server: one real exchange, and readiness."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, InvalidURL
from typing import Any
from urllib.parse import urlencode

import click

from stentor_chassis.failure import COULD_NOT_START, USAGE, Failure
from stentor_chassis.options.option import option, options, wrong_value
from stentor_chassis.options.quantities import Duration
from stentor_chassis.options.text import File, Path, Text
from stentor_chassis.tls_files import load_certificate, plain_reason
from stentor_server.health_checks import BEGAN, ended
from stentor_server.options import HEADERS, PORTS, tls_key_option, transform_option
from stentor_server.path.proxy_header import LOCAL

QUESTION = b"aZ"
ANSWERS = {"upper": b"AZ", "echo": b"aZ"}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@click.command()
@options(
    option("--host", type=Text(), default="127.0.0.1", help="Address of the server; of several, the first is used."),
    option("--port", type=PORTS, default=8080, help="Port of the server."),
    option("--unix", type=Path(), metavar="PATH", help="Use this Unix socket instead, without TLS or PROXY."),
    transform_option,
    option("--tls-cert", type=File(), metavar="FILE", help="Use TLS, with the server's own certificate (PEM)."),
    tls_key_option,
    option("--proxy-protocol", type=HEADERS, default="off", help="Send a PROXY header of this version first."),
    option("--admin-host", type=Text(), default="127.0.0.1", help="Address of the admin endpoint."),
    option("--admin-port", type=PORTS, default=8081, help="Admin port."),
    option("--timeout", type=Duration(), default="2s", help="Time-out of the exchange."),
)
def health(**values: Any) -> int:
    """Check that a running server answers and is ready; exit 0 if so.

    Give it the server's options. Without --unix, the server's --allow and --proxy-from must include this machine's
    address, and --tls-client-ca must accept the server's own certificate.

    Example: stentor-server health --port 8080
    """
    for port, needed in (("port", not values["unix"]), ("admin_port", True)):
        if needed and not values[port]:
            raise wrong_value(port, "0 makes the server pick a free port; give that port here")
    Health(**values).check()
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How to reach a server, as its own options have it; `timeout` in seconds."""

    host: str
    port: int
    unix: str | None
    transform: str
    tls_cert: str | None
    tls_key: str | None
    proxy_protocol: str
    admin_host: str
    admin_port: int
    timeout: float

    def check(self) -> None:
        """Return if the server answers correctly and is ready; raise `Failure` otherwise."""
        tls = self._tls_context()  # first, because without it no check begins
        try:
            connection = HTTPConnection(self._admin_host, self.admin_port, timeout=self.timeout)
        except InvalidURL as error:  # with blanks or control characters
            raise Failure(USAGE, f"{self.admin_host!r} is not a host name: check --admin-host") from error
        with closing(connection) as admin:
            self._report(admin, BEGAN)
            admin.auto_open = 0  # do not report the end to a control process that started since
            try:
                answer = self._exchange(tls)
            except (OSError, UnicodeError) as error:
                raise Failure(COULD_NOT_START, f"no exchange with {self._where}: {_reason(error)}") from error
            # Without a complete answer, what the server counted is unknown: the check stays unfinished.
            status = self._report(admin, ended(len(QUESTION), len(answer))) if len(answer) >= len(QUESTION) else None
        if answer != ANSWERS[self.transform]:
            raise Failure(COULD_NOT_START, f"{self._where} answered {answer!r} to {QUESTION!r}")
        if status != 200:
            raise Failure(COULD_NOT_START, f"{self._admin_host} port {self.admin_port} is not ready ({status})")

    def _report(self, admin: HTTPConnection, progress: dict[str, str]) -> int:
        """Report the progress of this check; return the status of the answer, 200 if the server is ready."""
        try:
            # Every admin endpoint accepts this name; it may refuse the one of --admin-host.
            admin.request("GET", f"/readyz?{urlencode(progress)}", headers={"Host": "localhost"})
            response = admin.getresponse()
            response.read()
        except (OSError, UnicodeError, HTTPException) as error:
            message = f"no answer from {self._admin_host} port {self.admin_port}: {_reason(error)}"
            raise Failure(COULD_NOT_START, message) from error
        return response.status

    @property
    def _admin_host(self) -> str:
        return _ANY.get(self.admin_host, self.admin_host)

    @property
    def _address(self) -> tuple[str, int]:
        host = self.host.partition(",")[0].strip()
        return _ANY.get(host, host), self.port

    @property
    def _where(self) -> str:
        return self.unix or "{} port {}".format(*self._address)

    def _exchange(self, tls: ssl.SSLContext | None) -> bytes:
        """Send the question, and read until the answer is complete or the server closes the connection."""
        deadline = time.monotonic() + self.timeout
        answer = b""
        with self._connection(tls) as connection:
            connection.sendall(QUESTION)
            while len(answer) < len(QUESTION):
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                part = connection.recv(64)
                if not part:
                    break
                answer += part
        return answer

    @contextmanager
    def _connection(self, tls: ssl.SSLContext | None) -> Iterator[socket.socket]:
        if self.unix:
            with socket.socket(socket.AF_UNIX) as local:
                local.settimeout(self.timeout)
                local.connect(self.unix)
                yield local
            return
        with socket.create_connection(self._address, self.timeout) as connection:
            connection.sendall(LOCAL.get(self.proxy_protocol, b""))
            if tls is None:
                yield connection
                return
            with tls.wrap_socket(connection) as encrypted:
                yield encrypted

    def _tls_context(self) -> ssl.SSLContext | None:
        if not self.tls_cert or self.unix:
            return None
        # The server is this machine's own. It may require a client certificate, and its own is the only one here.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        load_certificate(context, self.tls_cert, self.tls_key or self.tls_cert, COULD_NOT_START)
        return context


def _reason(error: Exception) -> str:
    """Return what went wrong without the numbers and file names of Python and OpenSSL."""
    if isinstance(error, TimeoutError):
        return "timed out"
    return plain_reason(error) if isinstance(error, ssl.SSLError) else str(getattr(error, "strerror", None) or error)
