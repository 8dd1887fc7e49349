"""Whether it matters how a message is cut."""

import itertools
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.check.check import Status
from stentor_client.check.segmentation import Segmentation, cut
from unit.client.check.checking import result
from unit.client.probing import honest


@pytest.mark.parametrize("largest", [1, 1000, 1 << 20])
async def test_honest(largest: int) -> None:
    """A server that does not care passes, also where only small messages come through."""
    assert (await result(honest, Segmentation(), largest=largest)).status is Status.PASS


async def test_one_segment_is_taken_for_the_message() -> None:
    """Who answers the first segment alone fails, with words for how it was cut."""

    def answer_once(connection: socket.socket) -> None:
        connection.sendall(connection.recv(1).upper())

    found = await result(answer_once, Segmentation())
    assert found.status is Status.FAIL
    assert found.finding.detail.startswith("one byte at a time: ")


async def test_large_one_is_not_put_together() -> None:
    """Who puts small pieces together and large ones not fails at the random places."""

    def forget_much(connection: socket.socket) -> None:
        received = 0
        for data in iter(lambda: connection.recv(65536), b""):
            received += len(data)
            connection.sendall(data.upper() if received < 5000 else data)

    found = await result(forget_much, Segmentation())
    assert found.finding.detail.startswith("cut at 50 random places: mismatch: ")


async def test_several_messages_are_taken_for_one() -> None:
    """Who answers only a part of what comes in one piece fails at that."""
    connections = itertools.count()  # one after the other

    def lose(connection: socket.socket) -> None:
        if next(connections) == 2:
            connection.sendall(connection.recv(65536).upper()[:100])
        else:
            honest(connection)

    found = await result(lose, Segmentation())
    assert found.finding.detail.startswith("20 messages in one piece: ")


@given(st.binary(min_size=2, max_size=50), st.data())
def test_cut(message: bytes, data: st.DataObject) -> None:
    """Wherever it is cut, the parts are the message, and one more than the places."""
    places = sorted(data.draw(st.sets(st.integers(1, len(message) - 1))))
    parts = list(cut(message, places))
    assert b"".join(parts) == message
    assert len(parts) == len(places) + 1
    assert all(parts)
