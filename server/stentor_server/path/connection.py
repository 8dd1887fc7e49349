"""One connection: the way of a byte from the peer, through the transform, and back."""

import fcntl
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import read, readv, write
from typing import TYPE_CHECKING

from stentor_chassis.address import Address, printable
from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_server.metrics import ANSWERED, READ_PAUSES, RECEIVED, SCHEMA, SENT, UNSENT, WRITE_BUFFER, CloseReason
from stentor_server.path.poller import PEER_ENDED, READABLE, WRITABLE
from stentor_server.path.transform import translate

if TYPE_CHECKING:
    from stentor_server.server import Server

_ANSWERED = SCHEMA.slot(ANSWERED)
_RECEIVED = SCHEMA.slot(RECEIVED)
_SENT = SCHEMA.slot(SENT)
_UNSENT = SCHEMA.slot(UNSENT)
_WRITE_BUFFER = SCHEMA.slot(WRITE_BUFFER)
_READ_PAUSES = SCHEMA.slot(READ_PAUSES)

SMALL_BYTES = 448  # such an object comes out of Python's own pool, without malloc(3)

_NOTHING = memoryview(b"")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, see socket(7)


class Connection:
    """Answers everything it receives, in order.

    While a part of an answer waits for the peer to read, no more is read from the peer: so a connection never holds
    more than the answer to one chunk. Over TLS the chunk may have completed a record, of 16 KiB, that began in others,
    and OpenSSL holds buffers besides.

    After every call the worker's row balances: received = sent + unsent + what waits.
    """

    __slots__ = (
        "_kept",
        "_poller",
        "_proxy",
        "_queued",
        "_reason",
        "_received",
        "_row",
        "_server",
        "_slow",
        "_small",
        "_unsent",
        "_waiting",
        "active_at",
        "client",
        "ended_at",
        "fd",
        "leaving_since",
        "opened_at",
    )

    def __init__(self, server: "Server", fd: int, client: Address, proxy: Address = ()) -> None:
        """Serve an accepted, non-blocking socket of `client`, whose connection a proxy may have passed on."""
        self._server = server
        self._poller = server.poller
        self._row = server.row
        self.fd = fd
        self.client = client
        self._proxy = proxy
        self.opened_at = time.monotonic()
        self.active_at = self.opened_at  # when the last byte moved, in either direction
        self.ended_at = 0.0  # when the peer was seen to have ended its side with answers still waiting
        self.leaving_since = 0.0  # when the server ended its side, or wanted to and answers waited
        self._received = 0
        self._unsent = 0
        self._waiting = _NOTHING  # what the kernel has not taken yet
        self._kept = 0  # how many received bytes wait in it
        self._queued = 0  # what the kernel's own queue held at the last look
        self._small = True  # whether the last chunk was
        self._slow = False  # whether something waits, or the server has left
        self._reason: CloseReason | None = None

    def ready(self, events: int) -> None:
        """Answer one chunk; the hot path.

        All connections of a worker read into the same buffer: each chunk is done with before the next is read. Who
        sends little is read into an object of its own, which at that size is cheaper to make than to be told where.
        """
        if self._slow:
            self._ready_slowly(events)
            return
        server, row = self._server, self._row
        try:
            if self._small:
                chunk = translate(read(self.fd, SMALL_BYTES), server.table)
                nbytes = len(chunk)
            else:
                nbytes = readv(self.fd, server.buffers)
                chunk = server.buffer[:nbytes]
                translate(chunk, server.table, inplace=True)
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
            self._lose(nbytes)
            self.abort(CloseReason.RESET)
            return
        if sent == nbytes:
            row[_ANSWERED] += nbytes
            return
        row[_RECEIVED] += nbytes
        row[_SENT] += sent
        self._fall_behind(memoryview(chunk)[sent:], nbytes - sent)

    def _send(self, data: memoryview, owed: int) -> bool:
        """Send what answers `owed` bytes that were received, and let the rest wait; return whether it can go on.

        Encrypted, there is more in `data` than is owed: what was received counts as sent last.
        """
        try:
            sent = write(self.fd, data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lose(owed)
            self.abort(CloseReason.RESET)
            return False
        kept = min(owed, len(data) - sent)
        self._row[_SENT] += owed - kept
        if sent != len(data):
            self._fall_behind(data[sent:], kept)
        return True

    def _fall_behind(self, rest: memoryview, kept: int) -> None:
        """Keep a copy of what the kernel did not take, and read no more until it has."""
        self._waiting = memoryview(bytes(rest))
        self._kept = kept
        self._slow = True
        self._row[_WRITE_BUFFER] += kept
        self._row[_READ_PAUSES] += 1
        self._queued = 0
        # An end that was seen stays true: to wait for it again would be to spin.
        self._poller.rewatch(self.fd, WRITABLE if self.ended_at else WRITABLE | PEER_ENDED)

    def _ready_slowly(self, events: int) -> None:
        if not self._waiting:
            self._drop()
            return
        if events & PEER_ENDED and not self.ended_at:
            self.ended_at = self._poller.now
            self._poller.rewatch(self.fd, WRITABLE)
        if events & ~PEER_ENDED:
            self._flush()

    def _flush(self, most: int | None = None) -> None:
        try:
            sent = write(self.fd, self._waiting[:most])
        except BlockingIOError:
            return
        except OSError:
            self.abort(CloseReason.RESET)
            return
        self.active_at = self._poller.now
        self._waiting = self._waiting[sent:]
        # Encrypted, there is more in it than was received: what was received counts as sent last.
        freed = self._kept - min(self._kept, len(self._waiting))
        self._kept -= freed
        self._row[_SENT] += freed
        self._row[_WRITE_BUFFER] -= freed
        if not self._waiting:
            self._waiting = _NOTHING
            self._caught_up()

    def _caught_up(self) -> None:
        self._poller.rewatch(self.fd, READABLE)
        if self.leaving_since:
            self.leaving_since = self._poller.now
            self._end_side()
        else:
            self._slow = False

    def leave(self, reason: CloseReason) -> None:
        """End the server's side once everything received is answered, and wait for the peer to end its own."""
        self._reason = self._reason or reason
        self._slow = True
        self.leaving_since = self._poller.now
        if not self._waiting:
            self._end_side()

    def _end_side(self) -> None:
        with borrowed_socket(self.fd) as stream, suppress(OSError):  # it was reset: reading will tell
            stream.shutdown(socket.SHUT_WR)

    def _drop(self) -> None:
        """Take what comes after the server's FIN, which nobody can answer, until the peer's."""
        nbytes = self._receive(self._server.buffers)
        self._count_received(nbytes)
        self._lose(nbytes)

    def _receive(self, buffers: list[memoryview]) -> int:
        """Read into shared `buffers`; return how many bytes: 0 where there are none yet, or where this was the end."""
        try:
            nbytes = readv(self.fd, buffers)
        except BlockingIOError:
            return 0
        except OSError:
            self.abort(CloseReason.RESET)
            return 0
        if not nbytes:
            self._peer_ended()
        return nbytes

    def _peer_ended(self) -> None:
        self.close(CloseReason.EOF)

    def _count_received(self, nbytes: int) -> None:
        self._received += nbytes
        self._row[_RECEIVED] += nbytes

    def _lose(self, nbytes: int) -> None:
        self._unsent += nbytes
        self._row[_UNSENT] += nbytes

    @property
    def waiting(self) -> bool:
        """Whether answers wait for the peer to read."""
        return len(self._waiting) > 0

    @property
    def handshaking(self) -> bool:
        """Whether the two sides have yet to agree on how to talk."""
        return False

    @property
    def engaged(self) -> bool:
        """Whether the peer is in the midst of something that a drain lets come to its end."""
        return self.waiting

    def look(self) -> None:
        """See how far a slow reader got: what it acknowledges makes progress long before the kernel takes more."""
        queued = struct.unpack("i", fcntl.ioctl(self.fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
        if queued != self._queued:
            self._queued = queued
            self.active_at = self._poller.now

    def abort(self, reason: CloseReason, error: str = "") -> None:
        """End the connection at once; what the kernel still holds for the peer is given up with what waits here."""
        if self._waiting or reason is CloseReason.RESET:
            reset_on_close(self.fd)
        self.close(reason, error)

    def close(self, reason: CloseReason, error: str = "") -> None:
        """Close the socket and the account; `error` says in the log what was wrong."""
        self._poller.close_watched(self.fd)
        self._row[_WRITE_BUFFER] -= self._kept
        self._lose(self._kept)
        self._kept = 0
        self._waiting = _NOTHING
        if self._reason is not None and reason is not CloseReason.RESET:
            reason, error = self._reason, ""  # an orderly end stays that, also when the peer took too long over it
        duration = time.monotonic() - self.opened_at
        self._server.forget(self, reason, int(duration * NANOSECONDS))
        facts = self.facts()
        if error:
            facts["error"] = error
        self._server.log.info(
            "connection.closed",
            peer=printable(self.client),
            received_bytes=self._received,
            sent_bytes=self._received - self._unsent,
            duration_seconds=round(duration, 6),
            reason=reason,
            **facts,
        )

    def facts(self) -> dict[str, str]:
        """Return what the log says of this connection besides what it says of all."""
        return {"proxy": printable(self._proxy)} if self._proxy else {}


def reset_on_close(fd: int) -> None:
    """Let the end of a socket be a reset, whatever its peer has still to read."""
    with borrowed_socket(fd) as stream:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


@contextmanager
def borrowed_socket(fd: int) -> Iterator[socket.socket]:
    """Lend the descriptor to a socket object, for what is done once in a connection's life."""
    stream = socket.socket(fileno=fd)
    try:
        yield stream
    finally:
        stream.detach()
