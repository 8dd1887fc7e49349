"""Whether there is a way at all."""

from stentor_client.check.check import Status
from stentor_client.check.connect import Connect
from unit.client.check.checking import result
from unit.client.probing import honest


async def test_way() -> None:
    """The address is named, and each part of the way timed."""
    found = await result(honest, Connect())
    assert found.status is Status.PASS
    assert found.finding.measured.keys() == {"address", "resolve_seconds", "connect_seconds"}
    assert found.finding.detail.startswith(f"{found.finding.measured['address']}: resolve ")
    assert 0 < found.finding.measured["connect_seconds"] < found.duration_seconds
