"""How an exchange can end."""

import errno
import socket
import ssl

import pytest

from stentor_client.verify.outcomes import (
    Outcome,
    Phase,
    of_connect_error,
    of_lost_connection,
    reason_of,
)

EXIT_CODES = {
    0: {"ok"},
    3: {"dns", "refused", "unreachable", "connect_timeout", "tls"},
    4: {"timeout", "reset", "eof"},
    5: {"short", "extra", "mismatch"},
}


def test_closed_set() -> None:
    """The outcomes are the documented ones, each with the documented exit code."""
    codes: dict[int, set[str]] = {}
    for outcome in Outcome:
        codes.setdefault(outcome.exit_code, set()).add(str(outcome))
    assert codes == EXIT_CODES


CONNECT, TLS = Phase.CONNECT, Phase.TLS


@pytest.mark.parametrize(
    ("error", "phase", "outcome", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name not known"), CONNECT, Outcome.DNS, "Name not known"),
        (UnicodeError("label too long"), CONNECT, Outcome.DNS, "not a valid host name"),
        (OSError(errno.ECONNREFUSED, "refused"), CONNECT, Outcome.REFUSED, "Connection refused"),
        (OSError(errno.ETIMEDOUT, "timed out"), CONNECT, Outcome.CONNECT_TIMEOUT, "Connection timed out"),
        (OSError(errno.ETIMEDOUT, "timed out"), TLS, Outcome.CONNECT_TIMEOUT, "Connection timed out"),
        (OSError(errno.ECONNRESET, "reset"), CONNECT, Outcome.RESET, "Connection reset by peer"),
        (OSError(errno.ENOTCONN, "?"), CONNECT, Outcome.RESET, "Transport endpoint is not connected"),
        (OSError(errno.EHOSTUNREACH, "no route"), CONNECT, Outcome.UNREACHABLE, "No route to host"),
        (OSError("AF_UNIX path too long"), CONNECT, Outcome.UNREACHABLE, "AF_UNIX path too long"),
        (OSError(errno.ECONNRESET, "reset"), TLS, Outcome.TLS, "Connection reset by peer"),
        (ConnectionResetError(), TLS, Outcome.TLS, "the peer closed the connection during the handshake"),
    ],
    ids=repr,
)
def test_failure_to_connect(error: OSError | UnicodeError, phase: Phase, outcome: Outcome, reason: str) -> None:
    """Every failure to connect has its outcome, and a reason in words."""
    assert (outcome, reason) == (of_connect_error(error, phase), reason_of(error))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, Outcome.EOF),
        (ssl.SSLError(1, "certificate required"), Outcome.TLS),
        (OSError(errno.EPIPE, "broken pipe"), Outcome.RESET),
        (OSError(errno.ETIMEDOUT, "timed out"), Outcome.TIMEOUT),
    ],
    ids=repr,
)
def test_lost_connection(error: Exception | None, outcome: Outcome) -> None:
    """Every end of an open connection has its outcome."""
    assert outcome is of_lost_connection(error)
