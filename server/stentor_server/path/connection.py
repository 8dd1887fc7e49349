"""One connection: the path of a byte from the peer, through the transform, and back.

It reads and writes the socket itself: an asyncio transport costs more per chunk and cannot report exactly how many
bytes the kernel accepted.
"""

import fcntl
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import read, readv, write

from stentor_chassis.address import Address, printable
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_server.metrics import ANSWERED, READ_PAUSES, RECEIVED, SCHEMA, SENT, UNSENT, WRITE_BUFFER, CloseReason
from stentor_server.path.lane import TLS_BUFFER_BYTES, Lane
from stentor_server.path.poller import PEER_CLOSED, READABLE, WRITABLE
from stentor_server.path.transform import translate

_ANSWERED = SCHEMA.slot(ANSWERED)
_RECEIVED = SCHEMA.slot(RECEIVED)
_SENT = SCHEMA.slot(SENT)
_UNSENT = SCHEMA.slot(UNSENT)
_WRITE_BUFFER = SCHEMA.slot(WRITE_BUFFER)
_READ_PAUSES = SCHEMA.slot(READ_PAUSES)

SMALL_BYTES = 448  # Python allocates an object of this size from its own pool, without malloc(3)

_NOTHING = memoryview(b"")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, see socket(7)


class Connection:
    """Answers everything it receives, in order.

    While part of an answer waits for the peer to read, nothing more is read from the peer. So a connection never holds
    more than the answer to one chunk. Over TLS the chunk may have completed a record of 16 KiB that began in earlier
    chunks, and OpenSSL has its own buffers.

    After every call the worker's row balances: received = sent + unsent + pending.
    """

    __slots__ = (
        "_lane",
        "_pending",
        "_poller",
        "_proxy",
        "_queued",
        "_reason",
        "_received",
        "_row",
        "_slow",
        "_small",
        "_unsent",
        "active_at",
        "client",
        "closing_since",
        "fd",
        "opened_at",
        "peer_closed_at",
        "pending_bytes",
    )

    def __init__(self, lane: Lane, fd: int, client: Address, proxy: Address = ()) -> None:
        """Serve an accepted, non-blocking socket of `client`, possibly forwarded by `proxy`."""
        self._lane = lane
        self._poller = lane.poller
        self._row = lane.row
        self.fd = fd
        self.client = client
        self._proxy = proxy
        self.opened_at = time.monotonic()
        self.active_at = self.opened_at  # when the last byte moved, in either direction
        self.peer_closed_at = 0.0  # when the peer's FIN was seen while answers were pending
        self.closing_since = 0.0  # when the server sent its FIN, or wanted to and answers were pending
        self._received = 0
        self._unsent = 0
        self._pending = _NOTHING  # what the kernel has not accepted yet
        self.pending_bytes = 0  # how many received bytes it answers
        self._queued = 0  # bytes in the kernel's send queue when last checked
        self._small = True  # whether the last chunk was small
        self._slow = False  # whether answers are pending, or the server is closing its side
        self._reason: CloseReason | None = None

    def ready(self, events: int) -> None:
        """Answer one chunk; the hot path.

        A small chunk is read into a new object: at that size, allocating it is cheaper than passing a buffer.
        """
        if self._slow:
            self._ready_slow(events)
            return
        lane, row = self._lane, self._row
        try:
            if self._small:
                chunk = translate(read(self.fd, SMALL_BYTES), lane.table)
                nbytes = len(chunk)
            else:
                nbytes = readv(self.fd, lane.buffers)
                chunk = lane.buffer[:nbytes]
                translate(chunk, lane.table, inplace=True)
        except BlockingIOError:
            return
        except OSError:
            self.abort(CloseReason.RESET)
            return
        if not nbytes:
            self.close(CloseReason.EOF)
            return
        self._small = nbytes < SMALL_BYTES
        self.active_at = self._poller.now
        self._received += nbytes
        try:
            sent = write(self.fd, chunk)
        except BlockingIOError:
            sent = 0
        except OSError:
            row[_RECEIVED] += nbytes
            self._count_unsent(nbytes)
            self.abort(CloseReason.RESET)
            return
        if sent == nbytes:
            row[_ANSWERED] += nbytes
            return
        row[_RECEIVED] += nbytes
        row[_SENT] += sent
        self._pause_reading(memoryview(chunk)[sent:], nbytes - sent)

    def _send(self, data: memoryview, owed: int) -> bool:
        """Send the answer to `owed` received bytes, keep what the kernel refuses; return whether the socket is open.

        Encrypted data is longer than what it answers: received bytes count as sent last.
        """
        try:
            sent = write(self.fd, data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._count_unsent(owed)
            self.abort(CloseReason.RESET)
            return False
        pending = min(owed, len(data) - sent)
        self._row[_SENT] += owed - pending
        if sent != len(data):
            self._pause_reading(data[sent:], pending)
        return True

    def _pause_reading(self, rest: memoryview, owed: int) -> None:
        """Keep a copy of what the kernel did not accept, and read nothing until it has been sent."""
        self._pending = memoryview(bytes(rest))
        self.pending_bytes = owed
        self._slow = True
        self._row[_WRITE_BUFFER] += owed
        self._row[_READ_PAUSES] += 1
        self._queued = 0
        # A FIN that was seen stays visible: waiting for it again would spin.
        self._poller.rewatch(self.fd, WRITABLE if self.peer_closed_at else WRITABLE | PEER_CLOSED)

    def _ready_slow(self, events: int) -> None:
        if not self._pending:
            self._discard()
            return
        if events & PEER_CLOSED and not self.peer_closed_at:
            self.peer_closed_at = self._poller.now
            self._poller.rewatch(self.fd, WRITABLE)
        if events & ~PEER_CLOSED:
            self._flush()

    def _flush(self, limit: int | None = None) -> None:
        try:
            sent = write(self.fd, self._pending[:limit])
        except BlockingIOError:
            return
        except OSError:
            self.abort(CloseReason.RESET)
            return
        self.active_at = self._poller.now
        self._pending = self._pending[sent:]
        freed = self.pending_bytes - min(self.pending_bytes, len(self._pending))
        self.pending_bytes -= freed
        self._row[_SENT] += freed
        self._row[_WRITE_BUFFER] -= freed
        if not self._pending:
            self._pending = _NOTHING
            self._resume_reading()

    def _resume_reading(self) -> None:
        self._poller.rewatch(self.fd, READABLE)
        if self.closing_since:
            self.closing_since = self._poller.now
            self._shut_down_writing()
        else:
            self._slow = False

    def finish(self, reason: CloseReason) -> None:
        """Answer everything received, send a FIN, and wait for the peer's."""
        self._reason = self._reason or reason
        self._slow = True
        self.closing_since = self._poller.now
        if not self._pending:
            self._shut_down_writing()

    def _shut_down_writing(self) -> None:
        with borrowed_socket(self.fd) as stream, suppress(OSError):  # after a reset, reading reports it
            stream.shutdown(socket.SHUT_WR)

    def _discard(self) -> None:
        """Read what arrives after the server's FIN, and drop it, until the peer's FIN."""
        nbytes = self._receive(self._lane.buffers)
        self._count_received(nbytes)
        self._count_unsent(nbytes)

    def _receive(self, buffers: list[memoryview]) -> int:
        """Read into shared `buffers`; return the number of bytes, 0 if there are none yet or the connection ended."""
        try:
            nbytes = readv(self.fd, buffers)
        except BlockingIOError:
            return 0
        except OSError:
            self.abort(CloseReason.RESET)
            return 0
        if not nbytes:
            self._on_eof()
        return nbytes

    def _on_eof(self) -> None:
        self.close(CloseReason.EOF)

    def _count_received(self, nbytes: int) -> None:
        self._received += nbytes
        self._row[_RECEIVED] += nbytes

    def _count_unsent(self, nbytes: int) -> None:
        self._unsent += nbytes
        self._row[_UNSENT] += nbytes

    @property
    def pending(self) -> bool:
        """Whether answers wait for the peer to read."""
        return len(self._pending) > 0

    @property
    def handshaking(self) -> bool:
        """Whether a TLS handshake has yet to be completed."""
        return False

    @property
    def busy(self) -> bool:
        """Whether a drain should let the peer finish first."""
        return self.pending

    def check_progress(self) -> None:
        """Count what a slow reader acknowledged as activity: the kernel accepts more data only much later."""
        queued = self._queue_bytes(termios.TIOCOUTQ)
        if queued != self._queued:
            self._queued = queued
            self.active_at = self._poller.now

    def catch_up(self) -> bool:
        """Handle what waits in the socket, before a time-out is judged; return whether the connection is still open.

        Only what has arrived by now, and its end: a peer may never stop sending.
        """
        for _ in range(3 + self._queue_bytes(termios.FIONREAD) // TLS_BUFFER_BYTES):
            self.ready(READABLE | WRITABLE)
            if self.fd < 0 or self._pending:
                break
        return self.fd >= 0

    def _queue_bytes(self, which: int) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self.fd, which, b"\0\0\0\0"))[0])

    def _give_up_waiting(self) -> None:
        """Count what waits in the socket as received, and never answered."""
        nbytes = self._queue_bytes(termios.FIONREAD)
        self._count_received(nbytes)
        self._count_unsent(nbytes)

    def abort(self, reason: CloseReason, error: str = "") -> None:
        """Close at once, and give up what waits to be read, and answers that are pending here or in the kernel."""
        if reason is not CloseReason.RESET:
            self._give_up_waiting()
        if self._pending or reason is CloseReason.RESET:
            reset_on_close(self.fd)
        self.close(reason, error)

    def close(self, reason: CloseReason, error: str = "") -> None:
        """Close the socket, settle the counters and log the connection, with what went wrong in `error`."""
        self._poller.close_watched(self.fd)
        self._row[_WRITE_BUFFER] -= self.pending_bytes
        self._count_unsent(self.pending_bytes)
        self.pending_bytes = 0
        self._pending = _NOTHING
        if self._reason is not None and reason is not CloseReason.RESET:
            reason, error = self._reason, ""  # an orderly end stays one, even if the peer was slow to close
        duration = time.monotonic() - self.opened_at
        self._lane.forget(self.fd, self.client, reason, int(duration * NANOSECONDS))
        fields = self._log_fields()
        if error:
            fields["error"] = error
        log = self._lane.log
        (log.info if self._received or error else log.debug)(  # without a byte it was a check, or never used
            "connection.closed",
            peer=printable(self.client),
            received_bytes=self._received,
            sent_bytes=self._received - self._unsent,
            duration_seconds=round(duration, 6),
            reason=reason,
            **fields,
        )
        self.fd = -1

    def _log_fields(self) -> dict[str, str]:
        return {"proxy": printable(self._proxy)} if self._proxy else {}


def reset_on_close(fd: int) -> None:
    """Make closing the socket send a reset, whatever the peer has yet to read."""
    with borrowed_socket(fd) as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


@contextmanager
def borrowed_socket(fd: int) -> Iterator[socket.socket]:
    """Lend the descriptor to a socket object, for what happens once in a connection's life."""
    stream = socket.socket(fileno=fd)
    try:
        yield stream
    finally:
        stream.detach()
