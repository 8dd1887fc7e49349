"""What a check finds."""

from stentor_client.check.check import Check, Finding, Status
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from unit.client.check.checking import honest, result

ERROR = ExchangeError(Outcome.RESET, Phase.REPLY, "it was cut")


class Measuring(Check):
    """Finds a figure."""

    name = "measuring"

    async def run(self, subject: Subject) -> Finding:  # noqa: ARG002
        return Finding.good("all is well", size_bytes=3)


def test_good() -> None:
    """A good finding has figures and no outcome."""
    finding = Finding.good("all is well", size_bytes=3)
    assert finding == Finding(Status.PASS, "all is well", None, None, {"size_bytes": 3})


def test_bad() -> None:
    """A bad finding has the outcome and phase of what failed, and its words unless there are better ones."""
    assert Finding.bad(ERROR) == Finding(Status.FAIL, "reset: it was cut", Outcome.RESET, Phase.REPLY)
    assert Finding.bad(ERROR, "cut at 3", size_bytes=3).detail == "cut at 3"
    assert Finding.bad(ERROR, size_bytes=3).measured == {"size_bytes": 3}


async def test_result() -> None:
    """A result has name and status at hand, and how long it took."""
    measured = await result(honest, Measuring())
    assert (measured.name, measured.status) == ("measuring", Status.PASS)
    assert measured.duration_seconds > 0
