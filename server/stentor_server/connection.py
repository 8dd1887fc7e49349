"""One connection: the way of a byte from the peer, through the transform, and back."""

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING

from stentor_chassis.histogram import NANOSECONDS
from stentor_server.metrics import (
    READ_PAUSES,
    RECEIVED,
    SCHEMA,
    SENT,
    UNSENT,
    WRITE_BUFFER,
    CloseReason,
)

if TYPE_CHECKING:
    from stentor_server.server import Server

# A peer this far behind with reading is not read from until it has caught up to the lower mark. Both are set, because
# uvloop's own lower mark is 16 bytes.
WRITE_HIGH_BYTES = 64 * 1024
WRITE_LOW_BYTES = 16 * 1024

_RECEIVED = SCHEMA.slot(RECEIVED)
_SENT = SCHEMA.slot(SENT)
_UNSENT = SCHEMA.slot(UNSENT)
_WRITE_BUFFER = SCHEMA.slot(WRITE_BUFFER)
_READ_PAUSES = SCHEMA.slot(READ_PAUSES)


class Stage(Enum):
    """How far a connection has come."""

    NEW = 1
    OPEN = 2
    LEAVING = 3  # the server has ended its side, and waits for the peer to end its own
    GONE = 4


class Connection(asyncio.BufferedProtocol):
    """Answers everything it receives, in order; holds no more than the write limit and one chunk for a slow reader.

    After every call the worker's row balances: received = sent + unsent + what waits in transports.
    """

    __slots__ = (
        "_buffered",
        "_is_closing",
        "_kept",
        "_opened",
        "_peer",
        "_reason",
        "_received",
        "_row",
        "_server",
        "_transport",
        "_unsent",
        "_write",
        "active_at",
        "left_at",
        "stage",
    )

    def __init__(self, server: "Server") -> None:
        """Belong to `server`, whose buffer, row and clock all its connections share."""
        self._server = server
        self._row = server.row
        self._received = 0
        self._kept = 0  # bytes that waited in the transport at the last look
        self._unsent = 0
        self._reason: CloseReason | None = None
        self.stage = Stage.NEW
        self.active_at = 0.0
        self.left_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvloop and asyncio give a Transport
        """Begin, or refuse."""
        server = self._server
        rejection = server.rejection()
        if rejection is not None:
            transport.abort()
            server.reject(rejection, _printable_peer(transport))
            return
        self._transport = transport
        # Looked up once: these are called for every chunk.
        self._write = transport.write
        self._buffered = transport.get_write_buffer_size
        self._is_closing = transport.is_closing
        transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES, low=WRITE_LOW_BYTES)
        self._peer = _printable_peer(transport)
        self._opened = time.perf_counter_ns()
        self.active_at = server.now
        self.stage = Stage.OPEN
        server.admit(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Read into the buffer that all connections of the worker share: one chunk is answered before the next."""
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer one chunk.

        uvloop tries the write at once, so mostly nothing is kept and the buffer is free again. Where the transport
        kept some, it holds a view of the buffer, and the buffer is its own from then on.
        """
        server = self._server
        row = self._row
        row[_RECEIVED] += nbytes
        self._received += nbytes
        self.active_at = server.now
        chunk = server.buffer[:nbytes]
        if self._kept or self.stage is not Stage.OPEN:
            self._answer_slow_reader(chunk)
            return
        server.transform(chunk)
        self._write(chunk)
        if self._buffered() or self._is_closing():
            self._fall_behind(nbytes)
        else:
            row[_SENT] += nbytes

    def _fall_behind(self, nbytes: int) -> None:
        if self._is_closing():  # the write failed: nothing of the chunk went, and connection_lost() follows
            self._lose(nbytes)
            return
        self._server.renew_buffer()
        self._keep(nbytes)

    def _answer_slow_reader(self, chunk: memoryview) -> None:
        if self.stage is Stage.LEAVING:  # came after the server's FIN
            self._lose(len(chunk))
            return
        self._server.transform(chunk)
        self._write(bytes(chunk))  # it will wait: a copy of the right size, instead of giving up a whole buffer
        self._keep(len(chunk))

    def _keep(self, added: int) -> None:
        """Account for `added` bytes given to the transport, and for what it handed to the kernel meanwhile."""
        left = self._buffered()
        row = self._row
        row[_SENT] += self._kept + added - left
        row[_WRITE_BUFFER] += left - self._kept
        self._kept = left

    def _lose(self, nbytes: int) -> None:
        self._unsent += nbytes
        self._row[_UNSENT] += nbytes

    def pause_writing(self) -> None:
        """Stop reading from a peer that does not read."""
        self._row[_READ_PAUSES] += 1
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on reading."""
        self.look()
        self._transport.resume_reading()

    def look(self) -> None:
        """See how far a slow reader got; getting anywhere counts as activity."""
        before = self._kept
        self._keep(0)
        if self._kept < before:
            self.active_at = self._server.now

    @property
    def waiting(self) -> bool:
        """Whether answers wait for the peer to read."""
        return self._kept > 0

    def leave(self) -> None:
        """End the server's side once everything received is answered, and wait for the peer to end its own."""
        self._reason = CloseReason.DRAIN
        self.stage = Stage.LEAVING
        self.left_at = self._server.now
        if self._transport.can_write_eof() and not self._is_closing():
            self._transport.write_eof()
        self._transport.resume_reading()

    def abort(self, reason: CloseReason) -> None:
        """End the connection at once."""
        if self._reason is not CloseReason.DRAIN:  # an orderly end that took too long is still that
            self._reason = reason
        self._transport.abort()

    def eof_received(self) -> bool:
        """Take the end of the peer's side: what waits is still sent, then the transport closes."""
        self._reason = self._reason or CloseReason.EOF
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the account."""
        if self.stage is Stage.NEW:
            return  # it was rejected
        if exc is None:
            self.look()
        row = self._row
        row[_WRITE_BUFFER] -= self._kept
        self._lose(self._kept)
        self._kept = 0
        reason = CloseReason.RESET if exc is not None else self._reason or CloseReason.EOF
        duration = time.perf_counter_ns() - self._opened
        self.stage = Stage.GONE
        self._server.forget(self, reason, duration)
        self._server.log.info(
            "connection.closed",
            peer=self._peer,
            received_bytes=self._received,
            sent_bytes=self._received - self._unsent,
            duration_seconds=round(duration / NANOSECONDS, 6),
            reason=reason,
        )


def _printable_peer(transport: asyncio.BaseTransport) -> str:
    name = transport.get_extra_info("peername")
    if isinstance(name, tuple):
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
    return "unix" if name is not None else "unknown"  # gone before it could be asked
