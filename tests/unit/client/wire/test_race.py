"""The race between addresses."""

import asyncio
import socket

import pytest

from stentor_client.wire import race
from stentor_client.wire.dial_record import Endpoint
from stentor_client.wire.race import first_to_connect

V4, V6 = socket.AF_INET, socket.AF_INET6


async def test_families_take_turns() -> None:
    """Families take turns, beginning with that of the first address; all errors are raised in that order."""
    tried: list[str] = []

    async def fail(endpoint: Endpoint) -> socket.socket:
        tried.append(endpoint.address)
        raise ConnectionRefusedError(endpoint.address)

    endpoints = [Endpoint(V6, "a"), Endpoint(V6, "b"), Endpoint(V6, "c"), Endpoint(V4, "d"), Endpoint(V4, "e")]
    with pytest.raises(ExceptionGroup) as raised:
        await first_to_connect(fail, endpoints)
    assert tried == ["a", "d", "b", "e", "c"] == [str(error) for error in raised.value.exceptions]


async def test_later_success_ends_earlier_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that succeeds cancels those before it, and none is started after it."""
    monkeypatch.setattr(race, "ATTEMPT_DELAY_SECONDS", 0.001)
    ended: list[str] = []

    async def attempt(endpoint: Endpoint) -> socket.socket:
        try:
            if endpoint.address == "good":
                return connection
            await asyncio.Event().wait()
            raise AssertionError
        finally:
            ended.append(endpoint.address)

    with socket.socket() as connection:
        endpoints = [Endpoint(V4, address) for address in ("silent", "good", "unneeded")]
        assert connection is await first_to_connect(attempt, endpoints)
    assert ended == ["good", "silent"]


async def test_cancelled_after_success() -> None:
    """If cancelled while other attempts are being ended, it closes the connection."""

    async def attempt(endpoint: Endpoint) -> socket.socket:
        if endpoint.address == "good":
            return connection
        try:
            await asyncio.Event().wait()
        finally:
            racing.cancel()
            await asyncio.sleep(0)
        raise AssertionError

    connection = socket.socket()
    endpoints = [Endpoint(V4, "slow"), Endpoint(V4, "good")]
    racing = asyncio.create_task(first_to_connect(attempt, endpoints))
    await asyncio.wait([racing])
    assert racing.cancelled()
    assert connection.fileno() == -1
