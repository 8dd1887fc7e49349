"""Whether the path delivers messages of every size."""

import socket

import pytest

from lying import LyingServer
from middlebox import between, swallow_above
from stentor_client.check import battery
from stentor_client.check.check import Status
from stentor_client.check.sizes import Sizes
from stentor_client.verify.outcomes import Outcome
from unit.client.check.checking import result, subject
from unit.client.probing import honest as upper


def test_ladder() -> None:
    """The ladder rises, and ends with the largest."""
    assert [Sizes(largest).ladder for largest in (1, 64)] == [[1], [1, 2, 10, 64]]
    assert Sizes(1000).ladder == [1, 2, 10, 64, 512, 1000]


async def test_all() -> None:
    """Every size is sent, each on a connection of its own."""
    sizes: list[int] = []

    def note(connection: socket.socket) -> None:
        number = len(sizes)  # they come one after the other
        sizes.append(0)
        for data in iter(lambda: connection.recv(65536), b""):
            sizes[number] += len(data)
            connection.sendall(data.upper())

    found = await result(note, Sizes(1 << 20))
    assert found.finding.detail == "17 sizes up to 1 MiB"
    assert found.finding.measured == {"largest_good_bytes": 1 << 20, "first_failing_bytes": None}
    assert sizes == Sizes(1 << 20).ladder


@pytest.mark.parametrize(("swallowed", "good", "bad"), [(1460, 1460, 1472), (600, 512, 1280)])
async def test_black_hole(swallowed: int, good: int, bad: int) -> None:
    """The first size that is lost is named, and the last that is not; later checks stay below it."""
    with LyingServer(upper) as server, LyingServer(between(server.target, swallow_above(swallowed))) as hole:
        path = subject(hole.target, timeout_seconds=1.0)
        (found,) = await battery.run([Sizes(1 << 20)], path)
    assert (found.status, found.finding.outcome) == (Status.FAIL, Outcome.TIMEOUT)
    assert found.finding.measured == {"largest_good_bytes": good, "first_failing_bytes": bad}
    assert (
        found.finding.detail
        == f"{good} B works, {bad} B fails: timeout: no progress for 1 s before any byte of the reply"
    )
    assert "MTU black hole" in found.cause
    assert path.largest_good == good


async def test_nothing_comes_back() -> None:
    """If even the smallest fails, no size is good."""
    found = await result(lambda _: None, Sizes(64))
    assert found.finding.measured == {"largest_good_bytes": 0, "first_failing_bytes": 1}
    assert found.finding.detail.startswith("1 B fails: ")
