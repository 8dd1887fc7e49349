"""How an exchange can end: a closed set, used in metrics, logs and exit codes."""

import errno
import os
import socket
import ssl
from collections.abc import Iterable
from enum import StrEnum

from stentor_chassis.failure import Failure
from stentor_chassis.tls_files import plain_reason

NOT_REACHED = 3  # no connection; for reconcile, counts that cannot be read
CONNECTION_LOST = 4
WRONG_REPLY = 5
CHECK_FAILED = 6  # every reply was right, but a threshold was not met, a check failed or counts disagree


class Phase(StrEnum):
    """A part of an exchange, in chronological order."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    FIRST_BYTE = "first_byte"  # from the send to the first byte of the reply
    REPLY = "reply"  # from there to its last byte
    CLOSE = "close"


class Outcome(StrEnum):
    """How one exchange ended."""

    OK = "ok"
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS = "tls"
    TIMEOUT = "timeout"
    RESET = "reset"
    EOF = "eof"  # the peer ended the connection before any byte of the reply
    SHORT = "short"  # the peer ended its side after a part of the reply
    EXTRA = "extra"  # surplus bytes
    MISMATCH = "mismatch"  # a wrong byte

    @property
    def exit_code(self) -> int:
        """The exit code of a command that ends with this outcome; a larger one is worse."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.OK: 0,
    **dict.fromkeys(
        (Outcome.DNS, Outcome.REFUSED, Outcome.UNREACHABLE, Outcome.CONNECT_TIMEOUT, Outcome.TLS), NOT_REACHED
    ),
    **dict.fromkeys((Outcome.TIMEOUT, Outcome.RESET, Outcome.EOF), CONNECTION_LOST),
    **dict.fromkeys((Outcome.SHORT, Outcome.EXTRA, Outcome.MISMATCH), WRONG_REPLY),
}


class Shortage(StrEnum):
    """What this machine ran out of, which is not the target's fault."""

    LOCAL_PORTS = "local_ports"
    OPEN_FILES = "open_files"
    MEMORY = "memory"

    @property
    def reason(self) -> str:
        """What is wrong, and what to do about it."""
        return f"this machine ran out of {self.replace('_', ' ')}; open fewer connections, or {_REMEDIES[self]}"


_REMEDIES = {
    Shortage.LOCAL_PORTS: "widen net.ipv4.ip_local_port_range",
    Shortage.OPEN_FILES: "raise the limit (ulimit -n)",
    Shortage.MEMORY: "allow more memory and threads",
}
_SHORTAGES: dict[int | None, Shortage] = {
    errno.EADDRNOTAVAIL: Shortage.LOCAL_PORTS,
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), Shortage.OPEN_FILES),
    **dict.fromkeys((errno.ENOBUFS, errno.ENOMEM), Shortage.MEMORY),
}
_INVALID = "not a valid address; a link-local one needs its interface, as in fe80::1%eth0"


def shortage_of(error: Exception) -> Shortage | None:
    """Return what this machine ran out of, if that is what the error says."""
    system = isinstance(error, OSError) and not isinstance(error, ssl.SSLError)  # whose numbers are others
    return _SHORTAGES.get(getattr(error, "errno", None)) if system else None


class ExchangeError(Failure):
    """An exchange that failed; ends a command with the exit code of its outcome."""

    def __init__(self, outcome: Outcome, phase: Phase, detail: str, shortage: Shortage | None = None) -> None:
        """`detail` is for people: the address and the error; a `shortage` of this machine caused it."""
        super().__init__(outcome.exit_code, f"{outcome}: {detail}")
        self.outcome = outcome
        self.phase = phase
        self.detail = detail
        self.shortage = shortage


def of_connect_error(error: OSError | UnicodeError, phase: Phase) -> Outcome:
    """Return the outcome of a failure to connect."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return Outcome.DNS
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return Outcome.CONNECT_TIMEOUT
    if phase is Phase.TLS:  # also if the peer closes in the middle of the handshake
        return Outcome.TLS
    if isinstance(error, ConnectionRefusedError):
        return Outcome.REFUSED
    if isinstance(error, ConnectionError) or error.errno == errno.ENOTCONN:  # accepted, and reset at once
        return Outcome.RESET
    return Outcome.UNREACHABLE  # no route, no permission to send, no such Unix socket, a shortage


def of_lost_connection(error: Exception | None) -> Outcome:
    """Return the outcome of losing an open connection; `None` is an orderly close by the peer."""
    if error is None:
        return Outcome.EOF
    if isinstance(error, ssl.SSLError):  # with TLS 1.3 the server refuses a certificate after the handshake
        return Outcome.TLS
    if isinstance(error, TimeoutError):  # the kernel gave up: keep-alives or retransmissions went unanswered
        return Outcome.TIMEOUT
    return Outcome.RESET


def reason_of(error: Exception) -> str:
    """Return what went wrong, in words for people."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the server's certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return plain_reason(error)
        case UnicodeError():
            return "not a valid host name"
        case socket.gaierror():
            return error.strerror or str(error)
        case OSError(errno=int(number)):
            shortage = shortage_of(error)
            words = shortage.reason if shortage else os.strerror(number)
            return _INVALID if number == errno.EINVAL else words
    return str(error) or "the peer closed the connection during the handshake"  # the event loop's error is empty


def worst_exit_code(outcomes: Iterable[Outcome]) -> int:
    """Return the exit code of the worst of these outcomes."""
    return max((outcome.exit_code for outcome in outcomes), default=0)
