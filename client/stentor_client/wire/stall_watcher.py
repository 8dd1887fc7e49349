"""Abandons a connection that makes no progress."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.connection import Connection

SAMPLES_PER_TIMEOUT = 4

T = TypeVar("T")


class StallWatcher:
    """Samples whether bytes move, in either direction: a slow connection is kept, a stalled one is abandoned.

    A stall needs several samples in a row: a single late one, on a busy machine, proves nothing.
    """

    def __init__(
        self,
        connection: Connection,
        account: Account,
        timeout_seconds: float,
        due: Callable[[], object] = lambda: True,
    ) -> None:
        """`account` counts for this connection only; the time-out does not run while nothing is `due`."""
        self._connection = connection
        self._account = account
        self._timeout = timeout_seconds
        self._due = due

    async def during(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work; abandoning the connection ends it if nothing moves for the whole time-out.

        An error of the watcher itself ends the work and is raised.
        """
        working, watching = asyncio.ensure_future(work), asyncio.ensure_future(self.watch())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return await working
        finally:
            working.cancel()
            watching.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def watch(self) -> None:
        """Return when the connection has been abandoned, with the outcome `timeout`."""
        stalled, before = 0, self._moved()
        while stalled < SAMPLES_PER_TIMEOUT:
            await asyncio.sleep(self._timeout / SAMPLES_PER_TIMEOUT)
            moved = self._moved()
            stalled = stalled + 1 if moved == before and self._due() else 0
            before = moved
        await self._connection.abandon(Outcome.TIMEOUT)

    def _moved(self) -> int:
        if self._connection.lost_by is None:  # a lost connection sends nothing more
            self._connection.count_sent()  # the transport reports a large message only when all of it is sent
        return self._account.sent_bytes + self._account.received_bytes
