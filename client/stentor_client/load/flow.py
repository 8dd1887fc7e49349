"""One connection under load."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter_ns

from stentor_client.load.tally import Tally
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import ReplyPart, Verdict
from stentor_client.wire.connection import RECEIVE_BYTES, Connection

CLOSE_SECONDS = 1.0


class Flow(Connection):
    """Reports each reply at once: no task waits for it.

    The usual reply, the whole one to the only exchange under way, is compared here: the verifier makes more calls.
    """

    def __init__(
        self,
        tally: Tally,
        number: int,
        flows: set["Flow"],
        on_reply: Callable[["Flow"], object],
        on_verdicts: Callable[["Flow", list[Verdict]], object],
    ) -> None:
        """Count in `tally`, and be one of `flows` while open; `number` makes this flow's messages unique.

        `on_reply` is called if the only exchange under way ended with the right reply, after counting it. Otherwise
        `on_verdicts` receives the verdicts on the oldest exchanges, or on all of them if the connection is lost.
        """
        super().__init__(tally)
        self.number = number
        self.sequence = 0
        self.place = 0  # of its address
        # The unanswered exchanges: when each was due and sent (ns), its size, and whether no other was under way then.
        self.pending: deque[tuple[int, int, int, bool]] = deque()
        self.good = False  # whether any reply was right
        self._tally = tally
        self._flows = flows
        self._on_good_reply = on_reply
        self._on_verdicts = on_verdicts
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
                self._tally.good(due, sent, now, now, size, self.place)
                self.good = True
                self._on_good_reply(self)
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
        if self._due:  # count what was sent: a reset transport cannot report it later
            self._count_sent_but(self._waiting)
        self._hand_to_verifier()
        super()._end(outcome)

    def wake(self) -> None:
        """Wake the task that waits for news."""
        self._news.set()

    async def leave(self) -> None:
        """Close in order if nothing is unanswered and the peer permits it, or else at once."""
        if self.pending:
            await self.abandon(Outcome.EOF)
        await self.close(CLOSE_SECONDS)
        self._transport.abort()  # if the peer has not ended TLS as well, which is no loss
        await self.wait_closed()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the connection
        """Open the account, and report it."""
        super().connection_made(transport)
        self._flows.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account, and report it."""
        super().connection_lost(exc)
        self._flows.discard(self)

    def _take(self, verdicts: list[Verdict]) -> None:
        self._on_verdicts(self, verdicts)
