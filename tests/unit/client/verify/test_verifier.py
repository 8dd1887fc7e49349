"""Comparing replies with what was sent."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import EXCERPT_BYTES, ReplyPart, Verdict, Verifier

messages = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=8)
OK = Verdict(Outcome.OK)


def _part(message: bytes) -> ReplyPart:
    """Return the upper case of a message, as a part of a longer pattern."""
    return (b"-" + message.upper() + b"-", 1, 1 + len(message))


def _expect(verifier: Verifier, message: bytes, *, more: bool = False) -> None:
    """Expect the upper case of a message."""
    verifier.expect([_part(message)], more=more)


@dataclass
class Exchange:
    """Messages that were sent, and the cuts that the network makes."""

    sent: list[bytes]
    draw: st.DataObject

    def cut(self, data: bytes) -> list[bytes]:
        """Cut data into any segments."""
        cuts = sorted(self.draw.draw(st.lists(st.integers(0, len(data)), max_size=10), label="cuts"))
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def verdicts(self, reply: bytes, end: Outcome | None = Outcome.EOF) -> list[Verdict]:
        """Feed a reply to a verifier that expects it, in parts at once or one after the other; return its verdicts."""
        verifier = Verifier()
        for message in self.sent:
            *parts, last = self.cut(message) if self.draw.draw(st.booleans(), label="in parts") else [message]
            if self.draw.draw(st.booleans(), label="at once"):
                verifier.expect([_part(part) for part in (*parts, last)])
                continue
            for part in parts:
                _expect(verifier, part, more=True)
            _expect(verifier, last)
        found = [verdict for segment in self.cut(reply) for verdict in verifier.feed(segment)]
        return found + (verifier.end(end) if end else [])

    @property
    def reply(self) -> bytes:
        """The right reply to all messages."""
        return b"".join(self.sent).upper()

    def at(self, offset: int) -> tuple[int, int]:
        """Return which message an offset of the reply belongs to, and the offset in its reply."""
        for number, message in enumerate(self.sent):
            if offset < len(message):
                return number, offset
            offset -= len(message)
        raise AssertionError("beyond the reply")


@given(st.lists(st.binary(max_size=60), max_size=8), st.data())
def test_good_replies(sent: list[bytes], draw: st.DataObject) -> None:
    """A right reply in any segments to any messages, in any parts, empty ones too, is one good verdict for each."""
    exchange = Exchange(sent, draw)
    assert [OK] * len(sent) == exchange.verdicts(exchange.reply)


@given(messages, st.data())
def test_one_wrong_byte(sent: list[bytes], draw: st.DataObject) -> None:
    """One wrong byte is a mismatch of exactly the message it belongs to, with its offset and what should have come."""
    exchange = Exchange(sent, draw)
    offset = draw.draw(st.integers(0, len(exchange.reply) - 1), label="offset")
    wrong = bytearray(exchange.reply)
    wrong[offset] ^= draw.draw(st.integers(1, 255), label="flipped bits")
    number, at = exchange.at(offset)
    verdicts = exchange.verdicts(bytes(wrong))
    mismatch = verdicts.pop(number)
    assert [OK] * (len(sent) - 1) == verdicts
    assert (Outcome.MISMATCH, at) == (mismatch.outcome, mismatch.offset)
    assert mismatch.expected[0] == exchange.reply[offset]
    assert mismatch.actual[0] == wrong[offset]
    assert len(mismatch.expected) == len(mismatch.actual) <= EXCERPT_BYTES


@given(messages, st.data(), st.sampled_from([Outcome.EOF, Outcome.RESET, Outcome.TIMEOUT]))
def test_truncated_reply(sent: list[bytes], draw: st.DataObject, end: Outcome) -> None:
    """Cut anywhere, replies before the cut are good; the one that is cut has the offset; later ones never began."""
    exchange = Exchange(sent, draw)
    length = draw.draw(st.integers(0, len(exchange.reply) - 1), label="length")
    number, at = exchange.at(length)
    verdicts = exchange.verdicts(exchange.reply[:length], end)
    assert len(sent) == len(verdicts)
    assert [OK] * number == verdicts[:number]
    cut = verdicts[number]
    assert cut.outcome is (Outcome.SHORT if end is Outcome.EOF and at else end)
    assert at == cut.offset
    assert exchange.reply[length : length + 1] == cut.expected[:1]
    assert cut.actual == b""
    for message, verdict in zip(sent[number + 1 :], verdicts[number + 1 :], strict=True):
        assert (end, 0) == (verdict.outcome, verdict.offset)
        assert message.upper().startswith(verdict.expected)


@given(messages, st.data())
def test_wrong_byte_before_the_cut(sent: list[bytes], draw: st.DataObject) -> None:
    """A reply that was wrong before it was cut is a mismatch: the wrong byte is the worse of the two."""
    exchange = Exchange(sent, draw)
    length = draw.draw(st.integers(1, len(exchange.reply)), label="length")
    wrong = bytearray(exchange.reply[:length])
    wrong[-1] ^= 0xFF
    number, at = exchange.at(length - 1)
    verdict = exchange.verdicts(bytes(wrong))[number]
    assert (Outcome.MISMATCH, at) == (verdict.outcome, verdict.offset)


@given(messages, st.binary(min_size=1, max_size=40))
def test_surplus_in_one_piece(sent: list[bytes], surplus: bytes) -> None:
    """Bytes too many that come with the last reply make it one with extra bytes, at its end; the others are good."""
    verifier = Verifier()
    for message in sent:
        _expect(verifier, message)
    *good, last = verifier.feed(b"".join(sent).upper() + surplus)
    assert [OK] * (len(sent) - 1) == good
    assert Verdict(Outcome.EXTRA, len(sent[-1]), b"", surplus[:EXCERPT_BYTES]) == last


@given(messages, st.binary(min_size=1, max_size=40), st.data())
def test_surplus_that_comes_later(sent: list[bytes], surplus: bytes, draw: st.DataObject) -> None:
    """Bytes that come when no reply is due are known at once, and spoil the exchange that follows, and no other."""
    exchange = Exchange(sent, draw)
    verifier = Verifier()
    for message in sent:
        _expect(verifier, message)
    assert [OK] * len(sent) == verifier.feed(exchange.reply)
    assert verifier.failed is None
    assert [verdict for segment in exchange.cut(surplus) for verdict in verifier.feed(segment)] == []
    assert verifier.failed is not None
    assert (Outcome.EXTRA, surplus[:1]) == (verifier.failed.outcome, verifier.failed.actual[:1])
    assert verifier.failed.offset == len(sent[-1])  # of the reply it came after, as if it had come with it
    for number in range(2):
        _expect(verifier, b"next")
        (verdict,) = verifier.feed(b"NEXT")
        assert (verdict.outcome, verdict.offset) == ((Outcome.OK, None) if number else (Outcome.EXTRA, 0))
    assert verifier.failed is None


def test_failure_is_known_before_the_end() -> None:
    """A wrong byte, or one beyond what was sent so far, is known while the reply goes on; excerpts are short."""
    verifier = Verifier()
    _expect(verifier, b"ab", more=True)
    assert verifier.feed(b"AB") == []
    assert verifier.failed is None
    verifier.feed(b"C")
    assert Verdict(Outcome.EXTRA, 2, b"", b"C") == verifier.failed
    verifier = Verifier()
    _expect(verifier, b"a" * 100)
    assert verifier.parts == 1
    assert verifier.feed(b"A" * 50 + b"-" * 49) == []
    assert Verdict(Outcome.MISMATCH, 50, b"A" * EXCERPT_BYTES, b"-" * EXCERPT_BYTES) == verifier.failed
    assert [verifier.failed] == verifier.feed(b"-")
    assert verifier.failed is None
    assert verifier.parts == 0
    _expect(verifier, b"a")
    assert verifier.feed(b"-") == [Verdict(Outcome.MISMATCH, 0, b"A", b"-")]  # which is in the pattern, before the part


@pytest.mark.parametrize("more", [False, True])
def test_nothing_sent(more: bool) -> None:  # noqa: FBT001
    """A message without bytes needs no reply: it is good when the connection ends."""
    verifier = Verifier()
    if more:
        _expect(verifier, b"", more=True)
    _expect(verifier, b"")
    assert verifier.end(Outcome.EOF) == [OK]
