"""Gives a connection up on which nothing moves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.connection import Connection

LOOKS_PER_TIMEOUT = 4

T = TypeVar("T")


class StallWatcher:
    """Looks now and then whether bytes move, in either direction: what is slow is not given up, what stands still is.

    Counted in several looks: one that comes late, because the terminal or the machine was busy, proves nothing.
    """

    def __init__(
        self,
        connection: Connection,
        account: Account,
        timeout_seconds: float,
        due: Callable[[], object] = lambda: True,
    ) -> None:
        """`account` is that of this connection alone; while nothing is `due` no time-out runs."""
        self._connection = connection
        self._account = account
        self._timeout = timeout_seconds
        self._due = due

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, and end it by giving the connection up when nothing moves for the whole time-out."""
        watching = asyncio.create_task(self.watch())
        try:
            return await work
        finally:
            watching.cancel()

    async def watch(self) -> None:
        """Return when the connection was given up, with the outcome `timeout`."""
        still, before = 0, self._moved()
        while still < LOOKS_PER_TIMEOUT:
            await asyncio.sleep(self._timeout / LOOKS_PER_TIMEOUT)
            moved = self._moved()
            still = still + 1 if moved == before and self._due() else 0
            before = moved
        await self._connection.abandon(Outcome.TIMEOUT)

    def _moved(self) -> int:
        if self._connection.lost_by is None:  # of what waits for a connection that is lost, nothing is sent any more
            self._connection.count_sent()  # else a large message would be counted when all of it has gone
        return self._account.sent_bytes + self._account.received_bytes
