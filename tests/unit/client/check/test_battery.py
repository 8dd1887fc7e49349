"""All checks, and the running of them."""

import pytest

import lying
from stentor_client.check import battery
from stentor_client.check.check import Check, Finding, Result, Status
from stentor_client.check.connect import Connect
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from unit.client.check.checking import closed_port, honest, results, subject

ORDER = [
    *("connect", "answer", "byte-values", "sizes", "segmentation", "half-close", "full-duplex", "idle"),
    *("concurrency", "addresses"),
]


def ended(status: Status, outcome: Outcome | None = None) -> Result:
    """Return a result of this kind."""
    phase = None if outcome is None else Phase.REPLY
    return Result(Connect(), Finding(status, "", outcome, phase), 0.1)


def named(check: Check) -> str:
    """Name a test case after its check."""
    return check.name


def test_order() -> None:
    """The checks come in the documented order; the idle one can be left out."""
    assert [check.name for check in battery.battery(1 << 20, 1.0)] == ORDER
    assert [name for name in ORDER if name != "idle"] == [check.name for check in battery.battery(1 << 20, 0.0)]


@pytest.mark.parametrize("check", battery.battery(1 << 20, 1.0), ids=named)
def test_words(check: Check) -> None:
    """Each says what it proves, in a sentence, and what usually makes it fail; and what it needs comes before it."""
    assert check.proves[0].isupper()
    assert check.proves.endswith(".")
    assert check.usual_cause[0].islower()
    assert not check.usual_cause.endswith(".")
    assert set(check.needs) <= set(ORDER[: ORDER.index(check.name)])


async def test_honest_server() -> None:
    """An honest server passes all that can be tried, and each check is announced."""
    told: list[str] = []
    with lying.LyingServer(honest) as server:
        checks = battery.battery(1 << 20, 0.1)
        found = await battery.run(checks, subject(server.target), lambda check: told.append(check.name))
    assert told == ORDER
    assert {result.name: result.status for result in found} == {
        **dict.fromkeys(ORDER, Status.PASS),
        "addresses": Status.SKIP,
    }
    assert battery.exit_code(found) == 0


async def test_nothing_connects() -> None:
    """Where nothing connects that is said once, and the rest is skipped."""
    path = subject(closed_port())
    first, *rest = await battery.run(battery.battery(1 << 20, 0.1), path, lambda _: None)
    assert (first.status, first.finding.outcome) == (Status.FAIL, Outcome.REFUSED)
    assert {(result.status, result.finding.detail) for result in rest} == {
        (Status.SKIP, "not tried, for connect failed")
    }
    assert battery.exit_code([first, *rest]) == 3


async def test_nothing_answers() -> None:
    """Where there is no right answer only the other addresses are still tried."""
    connected, answer, *rest = await results(lying.echo, *battery.battery(1 << 20, 0.1))
    assert (connected.status, answer.status, answer.finding.outcome) == (
        Status.PASS,
        Status.FAIL,
        Outcome.MISMATCH,
    )
    assert {result.finding.detail for result in rest[:-1]} == {"not tried, for answer failed"}
    assert "is the only one" in rest[-1].finding.detail


async def test_error_that_speaks_for_itself() -> None:
    """An exchange that fails makes its check fail, with its words."""

    class Failing(Connect):
        async def run(self, subject: Subject) -> Finding:  # noqa: ARG002
            raise ExchangeError(Outcome.SHORT, Phase.REPLY, "the rest is missing")

    (found,) = await results(honest, Failing())
    assert found.finding == Finding(Status.FAIL, "short: the rest is missing", Outcome.SHORT, Phase.REPLY)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ([], 0),
        ([ended(Status.PASS), ended(Status.SKIP)], 0),
        ([ended(Status.FAIL)], 6),
        ([ended(Status.FAIL, Outcome.REFUSED), ended(Status.PASS)], 3),
        ([ended(Status.FAIL, Outcome.SHORT), ended(Status.FAIL, Outcome.TIMEOUT)], 5),
        ([ended(Status.FAIL), ended(Status.FAIL, Outcome.TIMEOUT)], 4),
    ],
)
def test_exit_code(ends: list[Result], code: int) -> None:
    """The exit code is that of the worst outcome, or 6 where a check failed without one."""
    assert code == battery.exit_code(ends)
