"""Whether every address of the name leads there."""

import pytest

from lying import LyingServer, echo
from stentor_client.check import battery
from stentor_client.check.addresses import Addresses
from stentor_client.check.check import Result, Status
from stentor_client.check.subject import Subject
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.check.checking import closed_port, subject
from unit.client.probing import honest
from unit.client.wire.naming import resolve_to


async def of(monkeypatch: pytest.MonkeyPatch, *targets: str) -> Result:
    """Return the result for a name with the addresses of these targets."""
    resolve_to(monkeypatch, *targets)
    return await run(subject("somewhere:80"))


async def run(path: Subject) -> Result:
    """Run the check."""
    (found,) = await battery.run([Addresses()], path, lambda _: None)
    return found


async def test_all_lead_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address is tried, and named."""
    with LyingServer(honest) as one, LyingServer(honest) as two:
        found = await of(monkeypatch, one.target, two.target)
        assert (found.status, found.finding.detail) == (Status.PASS, f"{one.target} and {two.target}")
        outcomes = [{"address": each.target, "outcome": "ok"} for each in (one, two)]
        assert found.finding.measured == {"addresses": outcomes}


async def test_those_that_fail_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses that lead nowhere, or elsewhere, are named, and the worst of them is the outcome."""
    nobody = closed_port()
    with LyingServer(honest) as good, LyingServer(echo) as wrong:
        found = await of(monkeypatch, nobody, good.target, wrong.target)
        assert found.status is Status.FAIL
        assert found.finding.detail == f"2 of 3 failed: {nobody}: refused; {wrong.target}: mismatch"
        assert (found.finding.outcome, found.finding.phase) == (Outcome.MISMATCH, Phase.REPLY)
        assert [each["outcome"] for each in found.finding.measured["addresses"]] == ["refused", "ok", "mismatch"]


async def test_one_address() -> None:
    """Where there is one address, the other checks have tried it."""
    found = await run(subject("127.0.0.1:80"))
    assert found.status is Status.SKIP
    assert found.finding.detail == "127.0.0.1:80 is the only one, and the other checks use it"


async def test_unix_socket() -> None:
    """A Unix socket has no others."""
    found = await run(subject("unix:/nowhere"))
    assert (found.status, found.finding.detail) == (Status.SKIP, "a Unix socket has one address")
