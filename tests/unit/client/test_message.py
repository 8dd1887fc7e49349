"""Messages."""

from hypothesis import given
from hypothesis import strategies as st

from stentor_client.message import MessageSource

LARGEST = 5000
HEADER_BYTES = len("XXXXXXXX.XXXXXXXX.XXXXXXXX.")
numbers = st.integers(0, (1 << 32) - 1)
places = st.tuples(numbers, numbers)
SOURCE = MessageSource(LARGEST, run=0xC0FFEE)


@given(places, st.integers(1, LARGEST))
def test_size(place: tuple[int, int], size: int) -> None:
    """A message is exactly as large as was asked for."""
    assert size == len(SOURCE.build(*place, size))


@given(places, st.integers(1, LARGEST))
def test_reply_of_an_echo_cannot_pass(place: tuple[int, int], size: int) -> None:
    """Upper-casing changes every message, whatever its size: a plain echo is found out."""
    message = SOURCE.build(*place, size)
    assert message != message.upper()


@given(places, st.integers(HEADER_BYTES + 1, LARGEST))
def test_header_survives_upper_case(place: tuple[int, int], size: int) -> None:
    """The header names run, connection and message in characters that upper-casing does not change."""
    header = SOURCE.build(*place, size)[:HEADER_BYTES]
    assert header == header.upper()
    assert (0xC0FFEE, *place) == tuple(int(part, 16) for part in header.split(b".")[:3])


@given(places, places, st.integers(HEADER_BYTES + 1, LARGEST))
def test_unique(place: tuple[int, int], other: tuple[int, int], size: int) -> None:
    """Messages of a run differ, and so do their replies, however alike their size."""
    same = place == other
    assert same == (SOURCE.build(*place, size) == SOURCE.build(*other, size))
    assert same == (SOURCE.build(*place, size).upper() == SOURCE.build(*other, size).upper())


@given(places, st.integers(HEADER_BYTES + 1, LARGEST))
def test_runs_differ(place: tuple[int, int], size: int) -> None:
    """A reply to another run cannot pass."""
    assert MessageSource(LARGEST, run=1).build(*place, size) != MessageSource(LARGEST, run=2).build(*place, size)


@given(places, st.integers(HEADER_BYTES + 256, LARGEST))
def test_every_byte_value(place: tuple[int, int], size: int) -> None:
    """A message with room for them holds every byte value, so that nothing on the way can change one unseen."""
    assert set(range(256)) == set(SOURCE.build(*place, size)[HEADER_BYTES:])


@given(places, st.integers(1, LARGEST))
def test_echo_cannot_pass(place: tuple[int, int], size: int) -> None:
    """Every message holds a letter that upper-casing changes, so that a plain echo is never taken for the answer."""
    message = SOURCE.build(*place, size)
    assert message != message.upper()


@given(numbers, numbers, numbers, st.integers(10, HEADER_BYTES))
def test_small_messages_keep_the_sequence_number(connection: int, sequence: int, other: int, size: int) -> None:
    """A message without room for the header still differs from the others of its connection."""
    same = sequence == other
    assert same == (SOURCE.build(connection, sequence, size) == SOURCE.build(connection, other, size))


def test_runs_are_drawn() -> None:
    """Each run has a number of its own unless it is given one."""
    assert len({MessageSource(1).run for _ in range(20)}) > 1
    assert MessageSource(1, run=7).run == 7
