"""One connection under load."""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Protocol

from stentor_client.load.tally import Tally
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import ReplyPart, Verdict
from stentor_client.wire.connection import RECEIVE_BYTES, Connection

CLOSE_SECONDS = 1.0


class Owner(Protocol):
    """The interface through which a flow calls its owner."""

    def flow_opened(self, flow: "Flow") -> None:
        """Keep a flow that is connected."""

    def flow_closed(self, flow: "Flow") -> None:
        """Forget a flow whose connection is closed."""

    def replied(self, flow: "Flow") -> None:
        """Take note that the only exchange of a flow is over, with the right reply, and counted; the hot path."""

    def judged(self, flow: "Flow", verdicts: list[Verdict]) -> None:
        """Accept the verdicts on a flow's oldest exchanges; on all of them, if its connection is lost."""


class Flow(Connection):
    """Reports each reply to its owner at once: no task waits for it.

    The usual reply, the whole one to the only exchange under way, is compared here: the verifier makes more calls.
    """

    def __init__(self, tally: Tally, owner: Owner, number: int) -> None:
        """Count in `tally`; `number` distinguishes this flow's messages from those of others."""
        super().__init__(tally)
        self.number = number
        self.sequence = 0
        # The unanswered exchanges: when each was due and sent (ns), its size, and whether no other was under way then.
        self.pending: deque[tuple[int, int, int, bool]] = deque()
        self.good = False  # whether any reply was right
        self.closed = False
        self._tally = tally
        self._owner = owner
        self._due: Sequence[ReplyPart] = ()  # the reply to the only exchange, while the verifier does not expect it
        self._waiting = 0  # bytes of that message that the kernel did not accept at once
        self._spoiled = False  # whether the verifier has failed

    def post(self, message: bytes, reply: Sequence[ReplyPart], due: int) -> None:
        """Send a message that was due at `due`, in nanoseconds."""
        pending = self.pending
        alone = not pending
        pending.append((due, perf_counter_ns(), len(message), alone))
        if not alone or len(message) > RECEIVE_BYTES or self._spoiled or self.lost_by is not None:
            self._hand_to_verifier()
            self.write(message, reply)
            return
        self._due = reply
        self.first_byte_at = 0
        self._transport.write(message)
        if not self._transport.is_closing():  # otherwise the write failed, and sent nothing
            self._written += len(message)
            self._waiting = self._transport.get_write_buffer_size()

    def buffer_updated(self, nbytes: int) -> None:
        """Verify what arrived."""
        if self._due:
            if self._is_due(nbytes):
                now = perf_counter_ns()
                self._due = ()
                due, sent, size, _ = self.pending.pop()
                self._tally.received(nbytes)
                self._tally.sent(self._written - self._handed_over)  # all of it, or there would be no reply
                self._handed_over = self._written
                self._tally.good(due, sent, now, now, size)
                self.good = True
                self._owner.replied(self)
                return
            self._hand_to_verifier()
        super().buffer_updated(nbytes)
        self._spoiled = self.verifier.failed is not None

    def _is_due(self, nbytes: int) -> bool:
        """Whether the bytes received are the whole reply, and right."""
        at = 0
        for reply, start, stop in self._due:
            end = at + stop - start
            if end > nbytes or not reply.startswith(self._buffer[at:end], start):
                return False
            at = end
        return at == nbytes

    def _hand_to_verifier(self) -> None:
        if self._due:
            self.verifier.expect(self._due)
            self._due = ()

    def _end(self, outcome: Outcome) -> None:
        if self._due:  # count what was sent: after a reset the transport no longer knows
            self._count_sent_but(self._waiting)
        self._hand_to_verifier()
        super()._end(outcome)

    def wake(self) -> None:
        """Wake the task that waits for news."""
        self._news.set()

    async def leave(self) -> None:
        """Close in order if nothing is unanswered and the peer permits it, or else at once."""
        try:
            if not self.pending:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.close()
        except TimeoutError:
            pass
        if not self.closed:
            await self.abandon(Outcome.EOF)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the connection
        """Open the account, and report it."""
        super().connection_made(transport)
        self._owner.flow_opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account, and report it."""
        super().connection_lost(exc)
        self.closed = True
        self._owner.flow_closed(self)

    def _take(self, verdicts: list[Verdict]) -> None:
        self._owner.judged(self, verdicts)
