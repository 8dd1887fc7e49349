"""All checks, and the running of them."""

import pytest

import lying
from stentor_client.check import battery
from stentor_client.check.check import Finding, Result, Status
from stentor_client.check.connect import Connect
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.check.checking import closed_port, results, subject
from unit.client.probing import honest

ORDER = [
    *("connect", "answer", "byte-values", "sizes", "segmentation", "half-close", "full-duplex", "idle"),
    *("concurrency", "addresses"),
]


def ended(status: Status, outcome: Outcome | None = None) -> Result:
    """Return a result of this kind."""
    phase = None if outcome is None else Phase.REPLY
    return Result(Connect(), Finding(status, "", outcome, phase), 0.1)


def test_order() -> None:
    """The checks come in the documented order; the idle one can be left out."""
    assert [check.name for check in battery.battery(1 << 20, 1.0)] == ORDER
    assert [name for name in ORDER if name != "idle"] == [check.name for check in battery.battery(1 << 20, 0.0)]


@pytest.mark.parametrize(
    ("only", "skip", "names"),
    [
        (["idle"], [], ["connect", "answer", "idle"]),
        (["addresses"], [], ["connect", "addresses"]),
        ([], [*ORDER[2:8], "answer"], ["connect", "answer", "concurrency", "addresses"]),
        (["idle"], ["idle"], []),
    ],
)
def test_choice(only: list[str], skip: list[str], names: list[str]) -> None:
    """Checks are chosen by name; those that they need run as well."""
    assert names == [check.name for check in battery.battery(1 << 20, 1.0, only, skip)]


def test_words() -> None:
    """Each check says in a sentence what it proves, and what usually makes it fail; its needs come before it."""
    for check in battery.battery(1 << 20, 1.0):
        assert check.proves[0].isupper()
        assert check.proves.endswith(".")
        assert (check.usual_cause[0].islower(), check.usual_cause.endswith(".")) == (True, False)
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
    assert all(result.duration_seconds > 0 for result in found)
    assert battery.exit_code(found) == 0


async def test_nothing_connects() -> None:
    """If no connection can be made, one check says so, and the others are skipped."""
    path = subject(closed_port())
    first, *rest = await battery.run(battery.battery(1 << 20, 0.1), path)
    assert (first.status, first.finding.outcome) == (Status.FAIL, Outcome.REFUSED)
    assert {(result.status, result.finding.detail) for result in rest} == {
        (Status.SKIP, "not tried, because connect failed")
    }
    assert battery.exit_code([first, *rest]) == 3


async def test_nothing_answers() -> None:
    """Without a right answer, only the other addresses are still tried."""
    connected, answer, *rest = await results(lying.echo, *battery.battery(1 << 20, 0.1))
    assert (connected.status, answer.status, answer.finding.outcome) == (
        Status.PASS,
        Status.FAIL,
        Outcome.MISMATCH,
    )
    assert "something echoes" in answer.finding.detail
    assert {result.finding.detail for result in rest[:-1]} == {"not tried, because answer failed"}
    assert "is the only one" in rest[-1].finding.detail


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
    """The exit code is that of the worst outcome, or 6 if a check failed without one."""
    assert code == battery.exit_code(ends)
