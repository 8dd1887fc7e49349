"""How an exchange can end."""

import errno
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.verify.outcomes import (
    ExchangeError,
    Outcome,
    Phase,
    of_connect_error,
    of_lost_connection,
    worst_exit_code,
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


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Outcome.DNS),
        (OSError(errno.ECONNREFUSED, "refused"), Outcome.REFUSED),
        (TimeoutError(), Outcome.CONNECT_TIMEOUT),
        (OSError(errno.ETIMEDOUT, "timed out"), Outcome.CONNECT_TIMEOUT),
        (OSError(errno.ECONNRESET, "reset"), Outcome.RESET),
        (OSError(errno.ECONNABORTED, "aborted"), Outcome.RESET),
        (OSError(errno.ENOTCONN, "reset before it was looked at"), Outcome.RESET),
        (OSError(errno.ENETUNREACH, "unreachable"), Outcome.UNREACHABLE),
        (OSError(errno.EHOSTUNREACH, "no route"), Outcome.UNREACHABLE),
        (OSError(errno.EACCES, "firewall"), Outcome.UNREACHABLE),
        (OSError(errno.ENOENT, "no such socket"), Outcome.UNREACHABLE),
    ],
    ids=repr,
)
def test_failure_to_connect(error: OSError, outcome: Outcome) -> None:
    """Every failure to connect has its outcome."""
    assert outcome is of_connect_error(error, Phase.CONNECT)
    assert outcome.exit_code == 3 or outcome is Outcome.RESET


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ssl.SSLCertVerificationError("self-signed"), Outcome.TLS),
        (ssl.SSLError(1, "wrong version number"), Outcome.TLS),
        (OSError(errno.ECONNRESET, "reset"), Outcome.TLS),
        (ConnectionResetError(), Outcome.TLS),
        (OSError(errno.ETIMEDOUT, "timed out"), Outcome.CONNECT_TIMEOUT),
    ],
    ids=repr,
)
def test_failure_of_the_handshake(error: OSError, outcome: Outcome) -> None:
    """Whatever goes wrong in the handshake is the outcome of TLS, but for a path that has gone silent."""
    assert outcome is of_connect_error(error, Phase.TLS)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, Outcome.EOF),
        (ssl.SSLError(1, "certificate required"), Outcome.TLS),
        (OSError(errno.ECONNRESET, "reset"), Outcome.RESET),
        (OSError(errno.EPIPE, "broken pipe"), Outcome.RESET),
        (OSError(errno.ETIMEDOUT, "timed out"), Outcome.TIMEOUT),
    ],
    ids=repr,
)
def test_lost_connection(error: Exception | None, outcome: Outcome) -> None:
    """Every end of an open connection has its outcome."""
    assert outcome is of_lost_connection(error)


def test_error_tells_its_outcome() -> None:
    """An exchange that came to nothing says what and why."""
    error = ExchangeError(Outcome.REFUSED, Phase.CONNECT, "127.0.0.1:1: Connection refused")
    assert (error.outcome, error.phase) == (Outcome.REFUSED, Phase.CONNECT)
    assert error.detail == "127.0.0.1:1: Connection refused"
    assert str(error) == "refused: 127.0.0.1:1: Connection refused"


@given(st.lists(st.sampled_from(Outcome)))
def test_worst_exit_code(outcomes: list[Outcome]) -> None:
    """A run exits with the worst of its outcomes: a wrong reply before a lost connection before none at all."""
    code = worst_exit_code(outcomes)
    assert code in {0, *(outcome.exit_code for outcome in outcomes)}
    assert all(outcome.exit_code <= code for outcome in outcomes)
    assert (code == 0) == all(outcome is Outcome.OK for outcome in outcomes)
