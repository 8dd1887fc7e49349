"""One connection of the client: writes while it reads, and feeds the verifier."""

import asyncio
import time
from collections.abc import Callable

from stentor_client.account import Account
from stentor_client.outcomes import Outcome, of_lost_connection
from stentor_client.verifier import Verdict, Verifier

WRITE_HIGH_BYTES = 256 * 1024
WRITE_LOW_BYTES = 64 * 1024


class Connection(asyncio.Protocol):
    """Sends messages and hands out verdicts; needs a running event loop.

    Nothing here waits for a reply before it writes on: a message larger than all socket buffers cannot deadlock.
    """

    def __init__(self, verifier: Verifier, account: Account, on_reply: Callable[[bytes], None] | None = None) -> None:
        """Verify with `verifier`, count in `account`, and show `on_reply` every byte that arrives."""
        self.verifier = verifier
        self.lost_by: Outcome | None = None  # set once the peer, or the network, has ended the connection
        self.first_byte_at = 0  # perf_counter_ns of the first byte since the last send
        self.answered_at = 0  # perf_counter_ns of the arrival of the last byte of the last reply
        self._account = account
        self._on_reply = on_reply
        self._loop = asyncio.get_running_loop()
        self._writable = asyncio.Event()
        self._writable.set()
        self._news = asyncio.Event()  # something arrived, or the connection ended
        self._verdicts: list[Verdict] = []
        self._written = 0
        self._handed_over = 0
        self._opened_at = 0
        self._closed = asyncio.Event()
        self.ended_sending = False
        self.local = ""  # this end's address and port

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvloop and asyncio give a Transport
        """Begin."""
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self._opened_at = time.perf_counter_ns()
        name = transport.get_extra_info("sockname")
        self.local = f"{name[0]}:{name[1]}" if isinstance(name, tuple) else "unix"
        self._account.opened()

    async def send(self, data: bytes, *, more: bool = False) -> None:
        """Send a message, or with `more` a part of one, as soon as the peer is not too far behind."""
        await self._writable.wait()
        if self.lost_by is not None:
            return  # whoever waits for the verdict is told
        self.verifier.sent(data, more=more)
        self.first_byte_at = 0
        if not data:
            return
        self._transport.write(data)
        if not self._transport.is_closing():  # else the write failed, and nothing of it went
            self._written += len(data)
            self._count_sent()

    def end_sending(self) -> None:
        """Tell the peer that nothing more will come, and go on reading."""
        if self.lost_by is None and not self._transport.is_closing():
            self._transport.write_eof()
            self.ended_sending = True

    async def verdict(self) -> Verdict:
        """Return the next verdict; the outcome that ended the connection where it ends without one."""
        while not self._verdicts:
            if self.lost_by is not None:
                return Verdict(self.lost_by)
            await self.news()
        return self._verdicts.pop(0)

    async def end(self) -> Outcome:
        """Wait until the peer, or the network, ends the connection; return how."""
        while self.lost_by is None:
            await self.news()
        return self.lost_by

    async def news(self) -> None:
        """Wait until something arrives or the connection ends."""
        self._news.clear()
        await self._news.wait()

    async def close(self) -> None:
        """Close, and wait until it is."""
        self._transport.close()
        await self._closed.wait()

    async def abandon(self, outcome: Outcome) -> None:
        """Give the connection up because of `outcome`, at once."""
        self._end(outcome)
        self._transport.abort()
        await self._closed.wait()

    def data_received(self, data: bytes) -> None:
        """Verify what arrived."""
        if not self.first_byte_at:
            self.first_byte_at = time.perf_counter_ns()
        self._account.received(len(data))
        self._count_sent()
        if self._on_reply is not None:
            self._on_reply(data)
        verdicts = self.verifier.feed(data)
        if verdicts:
            self.answered_at = time.perf_counter_ns()
            self._verdicts += verdicts
        self._news.set()

    def eof_received(self) -> bool:
        """Take the end of the peer's side: no reply will come any more."""
        self._end(Outcome.EOF)
        return False

    def pause_writing(self) -> None:
        """Let `send` wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let `send` go on."""
        self._count_sent()
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account."""
        if exc is None:
            self._count_sent()
        else:
            self._end(of_lost_connection(exc))
        self._account.closed(time.perf_counter_ns() - self._opened_at)
        self._closed.set()
        self._writable.set()
        self._news.set()

    def _end(self, outcome: Outcome) -> None:
        if self.lost_by is None:
            self.lost_by = outcome
            self._verdicts += self.verifier.end(outcome)
            self._news.set()

    def _count_sent(self) -> None:
        handed_over = self._written - self._transport.get_write_buffer_size()
        self._account.sent(handed_over - self._handed_over)
        self._handed_over = handed_over
