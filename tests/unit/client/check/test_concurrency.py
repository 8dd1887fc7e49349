"""Whether connections are kept apart."""

import socket
import threading

from stentor_client.check.check import Status
from stentor_client.check.concurrency import CONNECTIONS, Concurrency
from stentor_client.verify.outcomes import Outcome
from unit.client.check.checking import result
from unit.client.probing import honest


async def test_kept_apart() -> None:
    """All connections are open at once, and each message has its own reply."""
    together = threading.Barrier(CONNECTIONS)

    def answer_together(connection: socket.socket) -> None:
        together.wait(10)  # nobody is served before all are there
        honest(connection)

    found = await result(answer_together, Concurrency())
    assert (found.status, found.finding.detail) == (
        Status.PASS,
        "20 connections, 200 messages, each with its own reply",
    )


async def test_mixed_up() -> None:
    """Two connections that get each other's replies are found, and whose reply it was."""
    meeting = threading.Barrier(2)
    numbers = iter(range(1000))
    letters: dict[int, bytes] = {}

    def swap(connection: socket.socket) -> None:
        number = next(numbers)
        if number < 2:
            letters[number] = connection.recv(64)
            meeting.wait(10)
            connection.sendall(letters[1 - number].upper())
        honest(connection)

    found = await result(swap, Concurrency())
    assert (found.status, found.finding.outcome) == (Status.FAIL, Outcome.MISMATCH)
    assert found.finding.detail.startswith(
        "2 of 20 connections failed, the first with mismatch: the reply belongs to another connection (message 1 of "
    )


async def test_limit() -> None:
    """A server that serves fewer at once is found."""
    room = threading.Semaphore(12)

    def refuse(connection: socket.socket) -> None:
        if room.acquire(blocking=False):
            honest(connection)

    found = await result(refuse, Concurrency())
    assert found.finding.outcome in {Outcome.EOF, Outcome.RESET}
    assert found.finding.detail.startswith("8 of 20 connections failed, the first with ")
    assert "a lower connection limit" in found.check.usual_cause
