"""Whether both directions run at once."""

import socket

import pytest

from lying import Behaviour
from stentor_client.check.battery import exit_code
from stentor_client.check.check import Status
from stentor_client.check.duplex import Duplex
from stentor_client.verify.outcomes import CHECK_FAILED
from unit.client.check.checking import result
from unit.client.probing import honest


def answer_after(nbytes: int) -> Behaviour:
    """Answer when so many bytes have come, and not before."""

    def behaviour(connection: socket.socket) -> None:
        data = bytearray()
        while len(data) < nbytes:
            data += connection.recv(65536)
        connection.sendall(data.upper())
        connection.recv(1)

    return behaviour


@pytest.mark.parametrize(
    ("largest", "words"),
    [
        (1 << 20, "the reply to 1 MiB began before the last 64 KiB were sent"),
        (1000, "the reply to 1000 B began before the last 500 B were sent"),
    ],
)
async def test_both_at_once(largest: int, words: str) -> None:
    """A reply that begins while the message is being sent passes, whatever size comes through."""
    found = await result(honest, Duplex(), largest=largest)
    assert (found.status, found.finding.detail) == (Status.PASS, words)


async def test_store_and_forward() -> None:
    """Right bytes that all come after the last was sent fail without a wrong outcome, and have their exit code."""
    found = await result(answer_after(1 << 20), Duplex(), timeout_seconds=1.0)
    assert (found.status, found.finding.outcome, found.finding.phase) == (Status.FAIL, None, None)
    assert found.finding.detail == "no byte of the reply to 1 MiB arrived before the last byte was sent, 1 s later"
    assert exit_code([found]) == CHECK_FAILED == 6
