"""Messages, and the replies to them."""

from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stentor_client.verify.message import COPIED_BYTES, HEADER, MessageSource
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import EXPECTATIONS, GOOD, Expect, ReplyPart, Verdict, Verifier

LARGEST = COPIED_BYTES + 1000
HEADER_BYTES = 27
numbers = st.integers(0, 10**9 - 1)
places = st.tuples(numbers, numbers)
sizes = st.one_of(st.integers(1, LARGEST), st.integers(COPIED_BYTES - 3, COPIED_BYTES + HEADER_BYTES + 3))
expectations = st.sampled_from([*EXPECTATIONS.values()])
SOURCE = MessageSource(LARGEST, bytes.upper, run=42)


def _message(connection: int, sequence: int, size: int) -> bytes:
    return SOURCE.build(connection, sequence, size)[0]


def _segments(data: bytes, draw: st.DataObject) -> list[bytes]:
    """Cut data into any segments, often about where the reply's parts meet."""
    places = st.one_of(st.integers(0, len(data)), st.integers(0, min(len(data), HEADER_BYTES + 2)))
    cuts = sorted(draw.draw(st.lists(places, max_size=6), label="cuts"))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _verdicts(parts: Iterable[ReplyPart], segments: Iterable[bytes]) -> list[Verdict]:
    """Return the verdicts on a reply that comes in these segments and then ends."""
    verifier = Verifier()
    verifier.expect([*parts])
    return [verdict for segment in segments for verdict in verifier.feed(segment)] + verifier.end(Outcome.EOF)


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


@given(places, sizes, st.data())
@example((1, 2), COPIED_BYTES, None).via("the largest that is copied")
@example((1, 2), COPIED_BYTES + 1, None).via("the smallest that is not")
def test_any_segmentation(place: tuple[int, int], size: int, draw: st.DataObject | None) -> None:
    """A right reply is right in any segments, as it is in one piece."""
    message, parts = SOURCE.build(*place, size)
    reply = message.upper()
    segments = _segments(reply, draw) if draw else [bytes([byte]) for byte in reply]
    assert [GOOD] == _verdicts(parts, segments) == _verdicts(parts, [reply])


@given(places, sizes, st.data())
def test_any_wrong_byte(place: tuple[int, int], size: int, draw: st.DataObject) -> None:
    """A flipped byte is a mismatch at its offset, in whatever part of the reply and in whatever segments."""
    message, parts = SOURCE.build(*place, size)
    wrong = bytearray(message.upper())
    edges = st.integers(max(0, min(size, HEADER_BYTES) - 2), min(size, HEADER_BYTES + 2) - 1)
    offset = draw.draw(st.one_of(st.integers(0, size - 1), edges), label="offset")
    right = wrong[offset]
    wrong[offset] ^= draw.draw(st.integers(1, 255), label="flipped bits")
    for segments in (_segments(bytes(wrong), draw), [bytes(wrong)]):
        (verdict,) = _verdicts(parts, segments)
        assert (Outcome.MISMATCH, offset) == (verdict.outcome, verdict.offset)
        assert (right, wrong[offset]) == (verdict.expected[0], verdict.actual[0])


@given(places, sizes)
def test_echo_cannot_pass(place: tuple[int, int], size: int) -> None:
    """Every message holds a letter that upper-casing changes, so that a plain echo is never taken for the answer."""
    message, parts = SOURCE.build(*place, size)
    assert [verdict.outcome for verdict in _verdicts(parts, [message])] == [Outcome.MISMATCH]


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
