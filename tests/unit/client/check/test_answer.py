"""Whether the server answers, and no one in its place."""

import pytest

import lying
from stentor_client.check.answer import Answer
from stentor_client.check.check import Status
from stentor_client.verify.outcomes import Outcome
from unit.client.check.checking import honest, result
from unit.looping import Loop


def test_answer(loop: Loop) -> None:
    """A server that answers as it must passes."""
    assert result(loop, honest, Answer()).status is Status.PASS


def test_echo_where_it_is_wanted(loop: Loop) -> None:
    """An echo is the right answer where one is expected."""
    assert result(loop, lying.echo, Answer(), expect="echo").status is Status.PASS


@pytest.mark.parametrize(
    ("behaviour", "outcome", "words"),
    [
        (lying.echo, Outcome.MISMATCH, "something echoes"),
        (lying.reset, Outcome.RESET, "the connection was cut"),
        (lying.stay_silent, Outcome.TIMEOUT, "no progress for 0.2 s before any byte of the reply"),
        (lying.close_early, Outcome.EOF, "the server closed the connection"),
    ],
)
def test_no_answer(loop: Loop, behaviour: lying.Behaviour, outcome: Outcome, words: str) -> None:
    """What answers by itself, or not at all, fails."""
    found = result(loop, behaviour, Answer(), timeout_seconds=0.2)
    assert (found.status, found.finding.outcome) == (Status.FAIL, outcome)
    assert words in found.finding.detail
