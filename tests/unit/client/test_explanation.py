"""What became of a reply, in words."""

import pytest

from stentor_client.explanation import explain
from stentor_client.outcomes import Outcome
from stentor_client.verifier import Verdict


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(Outcome.MISMATCH, 4, b"O\n", b"N\n"), r"at byte 4 of the reply, expected 'O\n' and got 'N\n'"),
        (Verdict(Outcome.EXTRA, 6, b"", b"\x00!"), r"at byte 6 of the reply, got '\x00!' that nobody asked for"),
        (Verdict(Outcome.SHORT, 5, b"\n"), r"the reply ended at byte 5 of the reply, '\n' was to follow"),
        (Verdict(Outcome.TIMEOUT, 3, b"x"), "no progress for 0.5 s, at byte 3 of the reply"),
        (Verdict(Outcome.TIMEOUT), "no progress for 0.5 s: the server does not end its side"),
        (Verdict(Outcome.EOF, 0, b"x"), "the server closed the connection before it was done"),
        (Verdict(Outcome.RESET, 0, b"x"), "the connection was cut"),
        (Verdict(Outcome.TLS, 0), "the server broke TLS off: it may want a certificate that it trusts"),
    ],
    ids=lambda value: str(getattr(value, "outcome", "")),
)
def test_words(verdict: Verdict, words: str) -> None:
    """Each way to be wrong has words that say where and what."""
    assert words == explain(verdict, 0.5)
