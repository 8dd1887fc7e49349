"""One connection of the client: writes while it reads, and feeds the verifier."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

from stentor_client.account import Account
from stentor_client.verify.outcomes import Outcome, of_lost_connection
from stentor_client.verify.verifier import GOOD, ReplyPart, Verdict, Verifier
from stentor_client.wire.tcp_info import TcpInfo

WRITE_HIGH_BYTES = 256 * 1024
WRITE_LOW_BYTES = 64 * 1024
RECEIVE_BYTES = 256 * 1024
MOST_SURPLUS_BYTES = 64 * 1024  # that belong to no reply; a peer that sends more is cut off
GOODBYE_SECONDS = 1.0  # to wait for the peer's end after a good exchange


class Connection(asyncio.BufferedProtocol):
    """Sends messages and hands out verdicts; needs a running event loop.

    Nothing here waits for a reply before it writes on: a message larger than all socket buffers cannot deadlock.
    A peer that sends without end is cut off, with the outcome `extra`: only so much is read that belongs to no reply.
    """

    # What arrives is verified before anything else arrives, so all connections share one buffer.
    _buffer = memoryview(bytearray(RECEIVE_BYTES))
    number = 0  # for logs, as is `local`
    local = ""

    def __init__(self, account: Account, on_reply: Callable[[memoryview], object] | None = None) -> None:
        """Count in `account`; `on_reply` is called with all that arrives, in a buffer that it must not keep."""
        self.verifier = Verifier()
        self.lost_by: Outcome | None = None  # set when the peer, or the network, ends the connection
        self.first_byte_at = 0  # perf_counter_ns of the first byte since the last send
        self.answered_at = 0  # perf_counter_ns of the arrival of the last byte of the last reply
        self.ended_sending = False
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
        self._moved_at = 0  # arrival of the last byte, or when the connection was made
        self._asked_at = 0  # when the first message since then was written; 0 if none was
        self._lost_at = 0
        self._retransmits = 0
        self._closing = False
        self._closed = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvloop and asyncio give a Transport
        """Start to count."""
        self._transport = transport
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self._opened_at = self._moved_at = perf_counter_ns()
        self._account.opened()

    async def send(self, data: bytes, reply: Sequence[ReplyPart], *, more: bool = False) -> None:
        """Send a message, or with `more` a part of one, after waiting for the peer to read if it is too far behind."""
        await self._writable.wait()
        self.write(data, reply, more=more)

    def write(self, data: bytes, reply: Sequence[ReplyPart], *, more: bool = False) -> None:
        """Send at once, however far the peer is behind; if the connection is lost, the verdict says so."""
        if self.lost_by is not None:
            return
        self.verifier.expect(reply, more=more)
        self.first_byte_at = 0
        if not data:
            return
        if not self._asked_at:
            self._asked_at = perf_counter_ns()
        self._transport.write(data)
        if not self._transport.is_closing():  # if it is, the write failed, and nothing was sent
            self._written += len(data)
            self.count_sent()

    def end_sending(self) -> None:
        """Half-close: send FIN, and continue to read; TLS has no half-close."""
        if self.lost_by is None and not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
            self.ended_sending = True

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`, so that the peer has to wait; the end is not noticed either."""
        if self.lost_by is None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self.lost_by is None:
            self._transport.resume_reading()

    @property
    def unsent(self) -> int:
        """How many bytes the kernel has not accepted."""
        return self._transport.get_write_buffer_size()

    @property
    def socket(self) -> Any:
        """The socket, to look at and for options; the event loop's own kind of it."""
        return self._transport.get_extra_info("socket")

    async def verdict(self) -> Verdict:
        """Return the next verdict; if the connection ends without one, the outcome that ended it."""
        while not self._verdicts:
            if self.lost_by is not None:
                return self.verifier.failed or Verdict(self.lost_by, 0)
            await self.news()
        return self._verdicts.pop(0)

    async def end(self) -> Outcome:
        """Wait until the peer, or the network, ends the connection; return the outcome."""
        while self.lost_by is None:
            await self.news()
        return self.lost_by

    async def orderly_end(self) -> Verdict:
        """Wait until the peer ends its side; return what is wrong, such as surplus bytes before the end."""
        while self.lost_by is None and self.verifier.failed is None:  # a peer that sends without end never closes
            await self.news()
        return self.verifier.failed or (GOOD if self.lost_by is Outcome.EOF else Verdict(self.lost_by or Outcome.EOF))

    async def finish(self) -> Verdict:
        """End our side and read to the end of the peer's; return what is wrong with that. TLS cannot end one side."""
        self.end_sending()
        if self.ended_sending or self.lost_by is not None:
            return await self.orderly_end()
        return self.verifier.failed or GOOD

    async def news(self) -> None:
        """Wait until something arrives or the connection ends."""
        self._news.clear()
        await self._news.wait()

    @property
    def idle(self) -> int:
        """How long the connection has been idle, or had been when it was lost, in nanoseconds.

        A firewall that dropped an idle connection shows it by not answering the next message. So a message without any
        reply does not end the idle time, and the wait for that reply does not count.
        """
        return (self._asked_at or self._lost_at or perf_counter_ns()) - self._moved_at

    async def close(self, patience_seconds: float | None = None) -> None:
        """Close, and wait until it is, if need be not longer than this; after TLS the peer has to end it as well."""
        self.look_at_kernel()
        self._closing = True
        self._transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_seconds):
                await self._closed.wait()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed, by either side."""
        await self._closed.wait()

    async def abandon(self, outcome: Outcome) -> None:
        """Give the connection up because of `outcome`, at once."""
        self._cut(outcome)
        await self._closed.wait()

    def _cut(self, outcome: Outcome) -> None:
        self.look_at_kernel()
        self._end(outcome)
        self._transport.abort()

    def look_at_kernel(self) -> None:
        """Count retransmits since the last call, and note the kernel's estimate of the round trip time."""
        if self._transport.is_closing():
            return
        shared = self._transport.get_extra_info("socket")
        stream = socket.socket(shared.family, shared.type, shared.proto, shared.fileno())
        try:
            info = TcpInfo.of(stream)
        finally:
            stream.detach()
        if info is not None:
            self._account.kernel(info.rtt_microseconds, info.retransmits - self._retransmits)
            self._retransmits = info.retransmits

    def count_sent(self) -> None:
        """Count as sent what the kernel has accepted since the last call."""
        self._count_sent_but(self._transport.get_write_buffer_size())

    def _count_sent_but(self, waiting: int) -> None:
        """Count as sent all that was written, except `waiting` bytes."""
        handed_over = self._written - waiting
        if handed_over > self._handed_over:  # encrypted bytes that wait can be more than was written
            self._account.sent(handed_over - self._handed_over)
            self._handed_over = handed_over

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Return the buffer for what arrives."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Verify what arrived."""
        now = perf_counter_ns()
        data = self._buffer[:nbytes]
        self._moved_at, self._asked_at = now, 0
        if not self.first_byte_at:
            self.first_byte_at = now
        self._account.received(nbytes)
        if self._handed_over != self._written:
            self.count_sent()
        if self._on_reply is not None:
            self._on_reply(data)
        verdicts = self.verifier.feed(data)
        if verdicts:
            self.answered_at = now
            self._take(verdicts)
        if self.verifier.surplus_bytes > MOST_SURPLUS_BYTES:
            self._cut(Outcome.EXTRA)
        self._news.set()

    def _take(self, verdicts: list[Verdict]) -> None:
        self._verdicts += verdicts

    def eof_received(self) -> bool:
        """Note the end of the peer's side: no further reply will arrive. If we closed first, it is no loss."""
        if not self._closing:
            self._end(Outcome.EOF)
        return False

    def pause_writing(self) -> None:
        """Make `send` wait."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Let `send` continue."""
        self.count_sent()
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the end."""
        if exc is None:
            self.count_sent()
        if not self._closing:  # with TLS, a FIN without close_notify is reported only here
            self._end(of_lost_connection(exc))
        self._account.closed(perf_counter_ns() - self._opened_at)
        self._closed.set()
        self._writable.set()
        self._news.set()

    def _end(self, outcome: Outcome) -> None:
        if self.lost_by is None:
            self.lost_by = outcome
            self._lost_at = perf_counter_ns()
            self._take(self.verifier.end(outcome))
            self._news.set()
