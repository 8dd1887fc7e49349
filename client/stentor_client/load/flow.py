"""One connection under load."""

from collections import deque
from typing import TYPE_CHECKING

from stentor_client.account import Account
from stentor_client.connection import Connection
from stentor_client.verifier import Verdict

if TYPE_CHECKING:
    from stentor_client.load.generator import Generator


class Flow(Connection):
    """Hands its verdicts to the generator as they come: nothing waits, nothing is woken."""

    def __init__(self, account: Account, generator: "Generator", number: int) -> None:
        """Answer to `generator`; `number` tells this flow's messages from those of others."""
        super().__init__(account)
        self.number = number
        self.sequence = 0
        self.pending: deque[tuple[int, int, int]] = deque()  # unanswered: when due, when sent (ns), how large
        self._generator = generator

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account, and let the generator forget this flow."""
        super().connection_lost(exc)
        self._generator.gone(self)

    def _take(self, verdicts: list[Verdict]) -> None:
        self._generator.answered(self, verdicts)
