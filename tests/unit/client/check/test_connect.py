"""Whether there is a way at all."""

from stentor_client.check import battery
from stentor_client.check.check import Status
from stentor_client.check.connect import Connect
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.check.checking import closed_port, honest, result, subject


async def test_way() -> None:
    """The address is named, and each part of the way timed."""
    found = await result(honest, Connect())
    assert found.status is Status.PASS
    assert found.finding.measured.keys() == {"address", "resolve_seconds", "connect_seconds"}
    assert found.finding.detail.startswith(f"{found.finding.measured['address']}: resolve ")
    assert 0 < found.finding.measured["connect_seconds"] < found.duration_seconds


async def test_refused() -> None:
    """A port that nobody listens on fails, with outcome and phase."""
    target = closed_port()
    (found,) = await battery.run([Connect()], subject(target), lambda _: None)
    assert found.status is Status.FAIL
    assert (found.finding.outcome, found.finding.phase) == (Outcome.REFUSED, Phase.CONNECT)
    assert found.finding.detail == f"refused: {target}: Connection refused"
