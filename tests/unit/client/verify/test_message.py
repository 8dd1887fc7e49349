"""Messages, and the replies to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.verify.message import COPIED_BYTES, HEADER, MessageSource
from stentor_client.verify.verifier import EXPECTATIONS, Expect

LARGEST = COPIED_BYTES + 1000
HEADER_BYTES = 27
numbers = st.integers(0, 10**9 - 1)
places = st.tuples(numbers, numbers)
sizes = st.one_of(st.integers(1, LARGEST), st.integers(COPIED_BYTES - 3, COPIED_BYTES + HEADER_BYTES + 3))
expectations = st.sampled_from([*EXPECTATIONS.values()])
SOURCE = MessageSource(LARGEST, bytes.upper, run=42)


def _message(connection: int, sequence: int, size: int) -> bytes:
    return SOURCE.build(connection, sequence, size)[0]


@given(places, sizes, expectations)
def test_reply(place: tuple[int, int], size: int, expect: Expect) -> None:
    """The parts of the reply put together are what a right server makes of the message."""
    message, parts = MessageSource(LARGEST, expect).build(*place, size)
    assert size == len(message)
    assert expect(message) == b"".join(reply[start:stop] for reply, start, stop in parts)


@pytest.mark.parametrize(("size", "copied"), [(COPIED_BYTES, True), (COPIED_BYTES + 1, False)])
def test_long_replies_are_not_copied(size: int, copied: bool) -> None:  # noqa: FBT001
    """A long reply, except its header, is a part of what all messages have in common."""
    parts = [SOURCE.build(1, sequence, size)[1] for sequence in (0, 26)]
    assert copied != (parts[0][-1][0] is parts[1][-1][0])


@given(places, sizes)
def test_echo_cannot_pass(place: tuple[int, int], size: int) -> None:
    """Every message holds a letter that upper-casing changes, so that a plain echo is never taken for the reply."""
    message = _message(*place, size)
    assert message != message.upper()


@given(places, st.integers(HEADER_BYTES + 256, LARGEST))
def test_header_and_body(place: tuple[int, int], size: int) -> None:
    """The header has run, connection and sequence in digits alone, the body every byte value."""
    message = _message(*place, size)
    header = HEADER.match(message)
    assert header
    assert (42, *place) == tuple(int(part) for part in header.groups())
    assert set(range(256)) == set(message[HEADER_BYTES:])


@given(numbers, numbers, numbers, st.integers(10, HEADER_BYTES))
def test_small_messages_keep_the_sequence_number(connection: int, sequence: int, other: int, size: int) -> None:
    """A message without room for the header still differs from the others of its connection."""
    same = sequence == other
    assert same == (_message(connection, sequence, size) == _message(connection, other, size))


def test_runs_are_drawn() -> None:
    """Each run has a number of its own unless it is given one."""
    assert len({MessageSource(1, bytes.upper).run for _ in range(20)}) > 1
    assert MessageSource(1, bytes.upper, run=7).run == 7
