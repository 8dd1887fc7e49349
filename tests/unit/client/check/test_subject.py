"""The path under test."""

import asyncio
import socket
import threading

import pytest

from lying import LyingServer, stay_silent
from stentor_client.check.subject import LEAST_BYTES
from unit.client.check.checking import subject
from unit.client.probing import honest


async def test_calls_have_numbers_of_their_own() -> None:
    """Each call has its own connection, and its number in its messages."""
    with LyingServer(honest) as server:
        path = subject(server.target)
        async with path.call() as first, path.call() as second:
            assert first.record.local != second.record.local
            (one, _), (two, _) = first.build(64), second.build(64)
            assert one[9:18] == b"000000001"
            assert two[9:18] == b"000000002"
            assert one[:9] == two[:9]


async def test_hangs_up_in_order() -> None:
    """At the end of a call the peer is told so, after it and after what goes wrong in it."""
    ends: list[bytes] = []
    told = threading.Semaphore(0)

    def listen(connection: socket.socket) -> None:
        ends.append(connection.recv(100))
        told.release()

    with LyingServer(listen) as server:
        path = subject(server.target)
        async with path.call():
            pass
        with pytest.raises(ZeroDivisionError):
            async with path.call():
                raise ZeroDivisionError
        for _ in range(2):
            assert await asyncio.to_thread(told.acquire, timeout=10)
    assert ends == [b"", b""]


async def test_peer_that_stays_does_not_hold_up() -> None:
    """A peer that never ends its side does not keep a call from ending."""
    with LyingServer(stay_silent) as server:
        async with subject(server.target).call() as call:
            connection = call.connection
        assert connection.lost_by is not None


@pytest.mark.parametrize(("good", "wanted", "size"), [(1000, 500, 500), (1000, 5000, 1000), (0, 5000, LEAST_BYTES)])
def test_fitting(good: int, wanted: int, size: int) -> None:
    """No message is larger than what comes through, but as large as every check needs."""
    path = subject("127.0.0.1:1")
    path.largest_good = good
    assert size == path.fitting(wanted)
