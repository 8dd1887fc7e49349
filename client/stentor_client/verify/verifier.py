"""Compares replies with what was sent; does no I/O."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from stentor_chassis.logs.log import excerpt
from stentor_client.verify.outcomes import Outcome, Phase

EXCERPT_BYTES = 16

Expect = Callable[[bytes], bytes]
ReplyPart = tuple[bytes, int, int]  # bytes, start and stop, so that nothing is copied for the comparison

# The client's own idea of the reply: verifying with the server's code could not catch the server being wrong.
EXPECTATIONS: dict[str, Expect] = {"upper": bytes.upper, "echo": bytes}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one outcome of one message.

    `offset` is that of the first wrong, missing or surplus byte of the reply. `expected` and `actual` are excerpts from
    there on, of at most `EXCERPT_BYTES`. All are empty for a good reply.
    """

    outcome: Outcome
    offset: int | None = None
    expected: bytes = b""
    actual: bytes = b""

    @property
    def phase(self) -> Phase:
        """The phase of the exchange that ended with this."""
        if self.offset is None:
            return Phase.CLOSE
        begun = self.offset > 0 or self.outcome in {Outcome.EXTRA, Outcome.MISMATCH}
        return Phase.REPLY if begun else Phase.FIRST_BYTE


GOOD = Verdict(Outcome.OK)
_ONE_GOOD = [GOOD]


def explained(verdict: Verdict) -> dict[str, Any]:
    """Return the fields of a verdict for the log."""
    return {
        "offset": verdict.offset,
        "expected": excerpt(verdict.expected),
        "actual": excerpt(verdict.actual),
    }


class Verifier:
    """Given the expected replies and what arrived, in any segmentation, returns one verdict per message."""

    def __init__(self) -> None:
        """Expect nothing yet."""
        self.surplus_bytes = 0  # that belonged to no reply
        self._due: deque[tuple[bytes, int, int, bool]] = deque()  # parts of replies, and whether one ends its message
        self._part_at = 0  # how far the first part is answered
        self._offset = 0  # how far the first message is answered
        self._ended_at = 0  # the length of the reply that was completed last
        self._wrong: Verdict | None = None  # of the first message, whose reply has not ended
        self._surplus: Verdict | None = None

    @property
    def parts(self) -> int:
        """The number of outstanding parts of replies."""
        return len(self._due)

    @property
    def failed(self) -> Verdict | None:
        """The fault of a reply that has not ended, or the surplus bytes that belong to no reply."""
        return self._wrong or self._surplus

    def expect(self, parts: Sequence[ReplyPart], *, more: bool = False) -> None:
        """Expect a reply in these parts; with `more`, the next call continues it."""
        last = len(parts) - 1
        for number, (reply, start, stop) in enumerate(parts):
            self._due.append((reply, start, stop, number == last and not more))
        if self._surplus is not None and self._offset == 0:
            # Bytes that arrived before this message was sent make its reply wrong from the first byte on.
            self._wrong, self._surplus = self._wrong or replace(self._surplus, offset=0), None

    def feed(self, data: bytes | memoryview) -> list[Verdict]:
        """Verify bytes that arrived; return the verdicts on the messages whose replies they complete.

        The caller must not change the returned list.
        """
        due, nbytes = self._due, len(data)
        if len(due) == 1 and not self._offset:  # one whole reply is the usual case, and this the hot path of a load
            reply, start, stop, last = due[0]
            if stop - start == nbytes and last and reply.startswith(data, start) and self._wrong is None:
                due.clear()
                self._ended_at = nbytes
                return _ONE_GOOD
        verdicts: list[Verdict] = []
        at = 0
        while at < nbytes:
            self._complete_empty(verdicts)
            if not due:
                self.surplus_bytes += nbytes - at
                self._note_surplus(bytes(data[at : at + EXCERPT_BYTES]), verdicts)
                break
            reply, start, stop, _ = due[0]
            start += self._part_at
            size = min(stop - start, nbytes - at)
            # A whole chunk within one part, the usual case, is compared without a copy.
            piece = data if size == nbytes else data[at : at + size]
            if self._wrong is None and not reply.startswith(piece, start):
                self._note_mismatch(reply[start : start + size], bytes(piece))
            at += size
            self._offset += size
            if start + size == stop:
                self._end_part(verdicts)
            else:
                self._part_at += size
        self._complete_empty(verdicts)
        return verdicts

    def end(self, outcome: Outcome) -> list[Verdict]:
        """Return the verdicts on all messages whose replies are incomplete, because of `outcome`."""
        verdicts: list[Verdict] = []
        self._complete_empty(verdicts)
        while self._due:
            reply, start, stop, _ = self._due[0]
            start += self._part_at
            short = outcome is Outcome.EOF and self._offset > 0
            missing = reply[start : min(stop, start + EXCERPT_BYTES)]
            verdict = Verdict(Outcome.SHORT if short else outcome, self._offset, missing)
            verdicts.append(self._wrong or verdict)
            while self._due and not self._due.popleft()[3]:
                pass  # the other parts of this message
            self._wrong, self._offset, self._part_at = None, 0, 0
        return verdicts

    def _complete_empty(self, verdicts: list[Verdict]) -> None:
        """End empty parts, which are complete as soon as they are next."""
        while self._due and self._due[0][1] == self._due[0][2]:
            self._end_part(verdicts)

    def _end_part(self, verdicts: list[Verdict]) -> None:
        last = self._due.popleft()[3]
        self._part_at = 0
        if last:
            verdicts.append(self._wrong or GOOD)
            self._wrong, self._offset, self._ended_at = None, 0, self._offset

    def _note_mismatch(self, expected: bytes, actual: bytes) -> None:
        first = next(i for i, (a, b) in enumerate(zip(expected, actual, strict=True)) if a != b)
        excerpt = slice(first, first + EXCERPT_BYTES)
        self._wrong = Verdict(Outcome.MISMATCH, self._offset + first, expected[excerpt], actual[excerpt])

    def _note_surplus(self, surplus: bytes, verdicts: list[Verdict]) -> None:
        extra = Verdict(Outcome.EXTRA, self._offset or self._ended_at, b"", surplus)
        if verdicts:
            # It arrived together with a reply, so it belongs to that reply.
            if verdicts[-1].outcome is Outcome.OK:
                verdicts[-1] = extra
        elif self._surplus is None:
            self._surplus = extra
