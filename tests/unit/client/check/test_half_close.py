"""Whether the end of one direction leaves the other alone."""

import pytest

from lying import LyingServer
from middlebox import Pump, between, end_both, keep_the_end
from middlebox import honest as honest_box
from stentor_client.check import battery
from stentor_client.check.check import Result, Status
from stentor_client.check.half_close import HalfClose
from stentor_client.verify.outcomes import Outcome, Phase
from unit.client.check.checking import result, subject
from unit.client.probing import honest


async def through(pump: Pump, timeout_seconds: float = 10.0) -> Result:
    """Return the result through a middlebox."""
    with LyingServer(honest) as server:
        return await result(between(server.target, pump), HalfClose(), timeout_seconds=timeout_seconds)


async def test_honest() -> None:
    """A path that keeps the directions apart passes."""
    found = await through(honest_box)
    assert found.status is Status.PASS
    assert found.finding.detail == "the whole reply to 64 B and 256 KiB, then FIN"


async def test_proxy_that_ends_both() -> None:
    """A proxy that ends both directions at the first FIN is found."""
    found = await through(end_both)
    assert found.status is Status.FAIL
    assert found.finding.outcome in {Outcome.EOF, Outcome.SHORT, Outcome.RESET}
    assert ", then FIN: " in found.finding.detail
    assert "a proxy that ends both directions at the first FIN" in found.check.usual_cause


async def test_proxy_that_keeps_the_end() -> None:
    """A proxy that does not pass the FIN on is found."""
    found = await through(keep_the_end, 1.0)
    assert (found.status, found.finding.outcome, found.finding.phase) == (Status.FAIL, Outcome.TIMEOUT, Phase.CLOSE)
    assert found.finding.detail == (
        "64 B, then FIN: the whole reply arrived, but timeout: no progress for 1 s: the server does not end its side"
    )


@pytest.mark.parametrize(("largest", "sizes"), [(64, "64 B"), (1000, "64 B and 1000 B")])
async def test_where_only_small_messages_come_through(largest: int, sizes: str) -> None:
    """The messages are no larger than what comes through."""
    found = await result(honest, HalfClose(), largest=largest)
    assert found.finding.detail == f"the whole reply to {sizes}, then FIN"


async def test_tls() -> None:
    """Over TLS it is skipped, and said why."""
    (found,) = await battery.run([HalfClose()], subject("127.0.0.1:1", tls=True), lambda _: None)
    assert found.status is Status.SKIP
    assert found.finding.detail == "TLS cannot end one direction alone"
