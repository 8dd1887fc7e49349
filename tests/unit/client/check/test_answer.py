"""Whether the server answers, and no one in its place."""

import pytest

import lying
from stentor_client.check.answer import Answer
from stentor_client.check.check import Status
from stentor_client.verify.outcomes import Outcome
from unit.client.check.checking import result


async def test_echo_where_it_is_wanted() -> None:
    """An echo is the right answer where one is expected."""
    assert (await result(lying.echo, Answer(), expect="echo")).status is Status.PASS


@pytest.mark.parametrize(
    ("behaviour", "outcome", "words"),
    [
        (lying.echo, Outcome.MISMATCH, "something echoes"),
        (lying.reset, Outcome.RESET, "the connection was cut"),
        (lying.stay_silent, Outcome.TIMEOUT, "no progress for 0.2 s before any byte of the reply"),
        (lying.close_early, Outcome.EOF, "the server closed the connection"),
    ],
)
async def test_no_answer(behaviour: lying.Behaviour, outcome: Outcome, words: str) -> None:
    """What answers by itself, or not at all, fails."""
    found = await result(behaviour, Answer(), timeout_seconds=0.2)
    assert (found.status, found.finding.outcome) == (Status.FAIL, outcome)
    assert words in found.finding.detail
