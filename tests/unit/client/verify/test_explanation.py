"""What became of a reply, in words."""

import pytest

from stentor_client.verify.explanation import explain
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import Verdict


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict(Outcome.MISMATCH, 4, b"O\n", b"N\n"), r"at byte 4 of the reply, expected 'O\n' and got 'N\n'"),
        (Verdict(Outcome.EXTRA, 6, b"", b"\x00!"), r"at byte 6 of the reply, got surplus '\x00!'"),
        (Verdict(Outcome.SHORT, 5, b"\n"), r"the peer ended its side after 5 B of the reply, '\n' is missing"),
        (Verdict(Outcome.TIMEOUT, 3, b"x"), "no progress for 0.5 s after 3 B of the reply"),
        (Verdict(Outcome.TIMEOUT, 0, b"x"), "no progress for 0.5 s before any byte of the reply"),
        (Verdict(Outcome.TIMEOUT), "no progress for 0.5 s: the peer does not end its side"),
        (Verdict(Outcome.EOF, 0, b"x"), "the peer closed the connection before any byte of the reply"),
        (Verdict(Outcome.EOF), "the peer closed the connection"),
        (Verdict(Outcome.RESET), "the connection was cut"),
        (Verdict(Outcome.RESET, 2048, b"x"), "the connection was cut after 2 KiB of the reply"),
        (Verdict(Outcome.MISMATCH, 0, b"H", b"\x15\3\1\0"), "the peer answered with an alert of TLS; use --tls"),
        (Verdict(Outcome.TLS, 0), "the peer ended TLS: it may require a certificate that it trusts"),
    ],
    ids=lambda value: str(getattr(value, "outcome", "")),
)
def test_words(verdict: Verdict, words: str) -> None:
    """Each way to be wrong has words that say where and what."""
    assert words == explain(verdict, 0.5)
