"""One connection under load."""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import perf_counter_ns
from typing import TYPE_CHECKING

from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome
from stentor_client.verify.verifier import ReplyPart, Verdict
from stentor_client.wire.connection import RECEIVE_BYTES, Connection

CLOSE_SECONDS = 1.0

if TYPE_CHECKING:
    from stentor_client.load.generator import Generator


class Flow(Connection):
    """Hands its verdicts to the generator as they come: nothing waits, nothing is woken."""

    def __init__(self, account: Account, generator: "Generator", number: int) -> None:
        """Answer to `generator`; `number` tells this flow's messages from those of others."""
        super().__init__(account)
        self.number = number
        self.sequence = 0
        # What is unanswered: when it was due and sent (ns), its size, and whether nothing else was under way then.
        self.pending: deque[tuple[int, int, int, bool]] = deque()
        self.good = False  # whether any reply was right
        # The reply to the only message under way, which the verifier was not told.
        self._due: Sequence[ReplyPart] = ()
        self._waiting = 0  # bytes of that message that the kernel did not take at once
        self._spoiled = False  # whether something came that nobody asked for
        self.closed = False
        self._generator = generator

    def post(self, message: bytes, reply: Sequence[ReplyPart], due: int) -> None:
        """Send a message that was due at a moment, in nanoseconds."""
        pending = self.pending
        alone = not pending
        pending.append((due, perf_counter_ns(), len(message), alone))
        if not alone or len(message) > RECEIVE_BYTES or self._spoiled or self.lost_by is not None:
            self._tell_verifier()
            self.write(message, reply)
            return
        self._due = reply
        self.first_byte_at = 0
        self._transport.write(message)
        if not self._transport.is_closing():  # else the write failed, and nothing of it went
            self._written += len(message)
            self._waiting = self._transport.get_write_buffer_size()

    def buffer_updated(self, nbytes: int) -> None:
        """Verify what arrived; the whole reply to the only message under way, the usual case, in the shortest way."""
        if self._due:
            if self._is_due(nbytes):
                self._due = ()
                self.answered_at = perf_counter_ns()
                self._account.received(nbytes)
                self._account.sent(self._written - self._handed_over)  # or else it would not have been answered
                self._handed_over = self._written
                self._generator.answered_right(self)
                return
            self._tell_verifier()
        super().buffer_updated(nbytes)
        self._spoiled = self.verifier.failed is not None

    def _is_due(self, nbytes: int) -> bool:
        """Whether so many bytes are the whole reply, and right."""
        at = 0
        for reply, start, stop in self._due:
            end = at + stop - start
            if end > nbytes or not reply.startswith(self._buffer[at:end], start):
                return False
            at = end
        return at == nbytes

    def _tell_verifier(self) -> None:
        if self._due:
            self.verifier.expect(self._due)
            self._due = ()

    def _end(self, outcome: Outcome) -> None:
        if self._due:  # no reply has counted it, and once the connection is reset nobody knows what was taken
            self._count_sent_but(self._waiting)
        self._tell_verifier()
        super()._end(outcome)

    def wake(self) -> None:
        """Let who waits for news look."""
        self._news.set()

    async def leave(self) -> None:
        """Close where nothing is owed; a flow that owes something, or whose peer does not let it, is given up."""
        try:
            if not self.pending:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.close()
        except TimeoutError:
            pass
        if not self.closed:
            await self.abandon(Outcome.EOF)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in the connection
        """Open the account, and let the generator know this flow."""
        super().connection_made(transport)
        self._generator.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account, and let the generator forget this flow."""
        super().connection_lost(exc)
        self.closed = True
        self._generator.gone(self)

    def _take(self, verdicts: list[Verdict]) -> None:
        self._generator.answered(self, verdicts)
