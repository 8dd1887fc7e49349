"""The server's own health check: a real exchange, and readiness."""

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
from stentor_server.health_checks import BEGAN, ended
from stentor_server.options import HEADERS, PORTS, TRANSFORMS
from stentor_server.path.proxy_header import LOCAL

QUESTION = b"aZ"
ANSWERS = {"upper": b"AZ", "echo": b"aZ"}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


_health_options = options(
    option("--host", type=Text(), default="127.0.0.1", help="Where the server listens; of several the first is asked."),
    option("--port", type=PORTS, default=8080, help="Its exchange port."),
    option("--unix", type=Path(), metavar="PATH", help="Ask over this Unix socket instead: without TLS or PROXY."),
    option("--transform", type=TRANSFORMS, default="upper", help="What the server does with the bytes."),
    option(
        "--tls-cert",
        type=File(),
        metavar="FILE",
        help="Speak TLS; the server's own certificate, which it may ask for (PEM).",
    ),
    option(
        "--tls-key", type=File(), metavar="FILE", help="Its private key; where it is not given, it is in the same file."
    ),
    option("--proxy-protocol", type=HEADERS, default="off", help="Begin with a PROXY header of this version."),
    option("--admin-host", type=Text(), default="127.0.0.1", help="Where the admin endpoint listens."),
    option("--admin-port", type=PORTS, default=8081, help="The admin port."),
    option("--timeout", type=Duration(), default="2s", help="How long the exchange may take."),
)


@click.command()
@_health_options
def health(**values: Any) -> int:
    """Make a real exchange with a running server, and ask whether it is ready; exit 0 if both are well.

    It talks as the server's options say, over the Unix socket if there is one. Otherwise this machine's own address
    must be among those of --allow and --proxy-from, and with --tls-client-ca the server's own certificate must do.

    Example: stentor-server health --port 8080
    """
    for port, needed in (("port", not values["unix"]), ("admin_port", True)):
        if needed and not values[port]:
            raise wrong_value(port, "0 lets a server take a free port; say here which one it took")
    Health(**values).check()
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Where a server listens and how it is to be talked to, as its own options say; `timeout` in seconds."""

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
        """Return when the server answers as it should and says that it is ready; raise `Failure` otherwise."""
        try:
            connection = HTTPConnection(self._admin_host, self.admin_port, timeout=self.timeout)
        except InvalidURL as error:  # with blanks or control characters
            raise Failure(USAGE, f"{self.admin_host!r} is not a host name: check --admin-host") from error
        with closing(connection) as admin:
            self._tell(admin, BEGAN)
            admin.auto_open = 0  # the end is told to whom the beginning was, and not to one that started since
            try:
                answer = self._exchange()
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or error
                raise Failure(COULD_NOT_START, f"no exchange with {self._where}: {reason}") from error
            # Without a whole answer nobody knows what the server has counted, or will: the check stays unfinished.
            status = self._tell(admin, ended(len(QUESTION), len(answer))) if len(answer) >= len(QUESTION) else None
        if answer != ANSWERS[self.transform]:
            raise Failure(COULD_NOT_START, f"{self._where} answered {answer!r} to {QUESTION!r}")
        if status != 200:
            raise Failure(COULD_NOT_START, f"{self._admin_host} port {self.admin_port} says not ready ({status})")

    def _tell(self, admin: HTTPConnection, what: dict[str, str]) -> int:
        """Ask whether the server is ready, and tell how far the check is; return the status."""
        try:
            # By a name that every server knows itself by, whatever this one was reached by.
            admin.request("GET", f"/readyz?{urlencode(what)}", headers={"Host": "localhost"})
            response = admin.getresponse()
            response.read()
        except (OSError, UnicodeError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or error
            message = f"no answer from {self._admin_host} port {self.admin_port}: {reason}"
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

    def _exchange(self) -> bytes:
        """Send the question, and read until there is an answer, or the server ends."""
        deadline = time.monotonic() + self.timeout
        answer = b""
        with self._connection() as connection:
            connection.sendall(QUESTION)
            while len(answer) < len(QUESTION):
                connection.settimeout(max(deadline - time.monotonic(), 0.001))
                part = connection.recv(64)
                if not part:
                    break
                answer += part
        return answer

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        if self.unix:  # the plainest way in, and open to nobody else
            with socket.socket(socket.AF_UNIX) as local:
                local.settimeout(self.timeout)
                local.connect(self.unix)
                yield local
            return
        with socket.create_connection(self._address, self.timeout) as connection:
            connection.sendall(LOCAL.get(self.proxy_protocol, b""))
            if not self.tls_cert:
                yield connection
                return
            # It is this machine's own server, found by its address. It may want a certificate: there is only its own.
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
            tls.load_cert_chain(self.tls_cert, self.tls_key)
            with tls.wrap_socket(connection) as encrypted:
                yield encrypted
