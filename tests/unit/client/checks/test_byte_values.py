"""Whether every byte value comes through."""

import socket

from lying import close_early
from stentor_client.checks.byte_values import ByteValues
from stentor_client.checks.check import Status
from stentor_client.outcomes import Outcome
from unit.client.checks.checking import honest, result
from unit.looping import Loop


def test_all(loop: Loop) -> None:
    """All 256 values are sent, and pass an honest server."""
    sent: set[int] = set()

    def note(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            sent.update(data)
            connection.sendall(data.upper())

    assert result(loop, note, ByteValues()).status is Status.PASS
    assert sent == set(range(256))


def test_expectation(loop: Loop) -> None:
    """What comes back is held against what is expected."""
    found = result(loop, honest, ByteValues(), expect="echo")
    assert found.finding.outcome is Outcome.MISMATCH
    assert found.finding.measured == {"wrong_values": list(range(ord("a"), ord("z") + 1))}
    assert found.finding.detail.endswith("wrong where these were sent: 61 62 63 64 65 66 67 68 and 18 more")


def test_values_that_suffer(loop: Loop) -> None:
    """The values that do not come through are named."""

    def strip(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            connection.sendall(data.upper().replace(b"\xff", b"\x7f").replace(b"\x00", b" "))

    found = result(loop, strip, ByteValues())
    assert (found.status, found.finding.outcome) == (Status.FAIL, Outcome.MISMATCH)
    assert found.finding.measured == {"wrong_values": [0, 255]}
    assert found.finding.detail.endswith("wrong where these were sent: 00 FF")


def test_no_reply(loop: Loop) -> None:
    """Where nothing came back, no value is blamed."""
    found = result(loop, close_early, ByteValues())
    assert found.finding.outcome is Outcome.EOF
    assert found.finding.detail == "eof: the server closed the connection before any byte of the reply"
