"""One connection under load."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from stentor_client.account import Account
from stentor_client.connection import Connection
from stentor_client.outcomes import Outcome
from stentor_client.verifier import Verdict

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
        self.closed = False
        self._generator = generator

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

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account, and let the generator forget this flow."""
        super().connection_lost(exc)
        self.closed = True
        self._generator.gone(self)

    def _take(self, verdicts: list[Verdict]) -> None:
        self._generator.answered(self, verdicts)
