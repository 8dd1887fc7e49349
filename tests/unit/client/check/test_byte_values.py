"""Whether the path delivers every byte value."""

import socket

import pytest

from lying import close_early
from stentor_client.check.byte_values import SIZE_BYTES, ByteValues
from stentor_client.verify.outcomes import Outcome
from unit.client.check.checking import result
from unit.client.probing import honest


async def test_expectation() -> None:
    """The reply is compared with what is expected."""
    found = await result(honest, ByteValues(), expect="echo")
    assert found.finding.outcome is Outcome.MISMATCH
    assert found.finding.measured == {"wrong_values": list(range(ord("a"), ord("z") + 1))}
    assert found.finding.detail.endswith("these values return wrong: 61 62 63 64 65 66 67 68 and 18 more")


async def test_no_reply() -> None:
    """If no reply arrives, no value is blamed."""
    found = await result(close_early, ByteValues())
    assert found.finding.outcome is Outcome.EOF
    assert found.finding.detail == "eof: the peer closed the connection before any byte of the reply"


@pytest.mark.parametrize(
    ("value", "instead"),
    [(b"\n", b"\r\n"), (b"\r", b""), (b"\xff", b"\xff\xff"), (b"<", b"&lt;"), (b"\x00\x01\x02", b"\x00")],
    ids=["line-end", "lost", "doubled", "escaped", "several"],
)
@pytest.mark.parametrize("whole", [False, True])
async def test_bytes_that_move_the_others(value: bytes, instead: bytes, *, whole: bool) -> None:
    """If a byte is lost or added, those after it are not blamed, even if the reply still has the right length."""

    def garble(connection: socket.socket) -> None:
        garbled = connection.recv(SIZE_BYTES, socket.MSG_WAITALL).upper().replace(value, instead)
        connection.sendall((garbled + b"." * SIZE_BYTES)[:SIZE_BYTES] if whole else garbled)

    found = await result(garble, ByteValues())
    blamed = next(number for number, byte in enumerate(value + b"!") if instead[number : number + 1] != bytes([byte]))
    expected = (value + bytes([value[-1] + 1 & 0xFF]))[blamed]
    assert found.finding.outcome is Outcome.MISMATCH
    assert found.finding.measured == {"wrong_values": [expected]}
    assert found.finding.detail.endswith(f"these values return wrong: {expected:02X}")


@pytest.mark.parametrize("bit", [0, 5, 7])
async def test_bit_that_is_stripped(bit: int) -> None:
    """A bit that is stripped turns values into others, and moves none: every value that has it is named."""
    kept = bytes(value & ~(1 << bit) for value in range(256))

    def strip(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            connection.sendall(data.upper().translate(kept))

    upper = {value: bytes([value]).upper()[0] for value in range(256)}
    suffer = [value for value in range(256) if upper[value] >> bit & 1]
    assert (await result(strip, ByteValues())).finding.measured == {"wrong_values": suffer}
