"""TLS between the socket and the transform.

OpenSSL works on memory, not on the socket, because only then the number of bytes that the kernel accepted is known.
"""

import ssl
import termios
from collections.abc import Iterator
from contextlib import suppress
from os import read, write
from typing import cast

from stentor_chassis.address import Address
from stentor_chassis.failure import COULD_NOT_START
from stentor_chassis.tls_files import load_authorities, load_certificate, plain_reason
from stentor_server.metrics import CloseReason
from stentor_server.options import ServerOptions
from stentor_server.path.connection import Connection
from stentor_server.path.lane import Lane
from stentor_server.path.transform import translate


def tls_context(options: ServerOptions) -> ssl.SSLContext | None:
    """Read the certificate, the key and the client authorities from their files; return None without TLS.

    Raises:
        Failure: which file cannot be used, and why.

    """
    if not options.tls_cert or not options.tls_key:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_certificate(context, options.tls_cert, options.tls_key, COULD_NOT_START)
    if options.tls_client_ca:
        load_authorities(context, options.tls_client_ca, COULD_NOT_START)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TlsConnection(Connection):
    """A connection whose bytes are decrypted before the transform and encrypted after it."""

    __slots__ = ("_got_close_notify", "_incoming", "_outgoing", "_started", "_tls", "_version")

    def __init__(self, tls: ssl.SSLContext, lane: Lane, fd: int, client: Address, proxy: Address = ()) -> None:
        """Wait for the client to start the handshake."""
        super().__init__(lane, fd, client, proxy)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._started = False  # whether the client has started the handshake
        self._version = ""  # of TLS, once the handshake is done
        self._got_close_notify = False

    @property
    def handshaking(self) -> bool:
        """Whether the handshake has yet to be completed."""
        return not self._version

    @property
    def busy(self) -> bool:
        """Whether answers are pending, or a handshake that the client started."""
        return self.pending or (self._started and self.handshaking)

    def ready(self, events: int) -> None:
        """Answer what the next encrypted chunk contains."""
        if self._slow:
            self._ready_slow(events)
            return
        if not self._receive_encrypted():
            return
        owed = 0
        try:
            if not self._version:
                self._tls.do_handshake()
                self._version = self._tls.version() or "unknown"
            for chunk in self._decrypted():
                translate(chunk, self._lane.table, inplace=True)
                self._tls.write(chunk)
                owed += len(chunk)
            self._got_close_notify = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if self._send_encrypted(owed):  # with an alert
                self.close(CloseReason.TLS_ERROR, plain_reason(error, agreed=not self.handshaking))
            return
        if self._got_close_notify:
            self._close_notify()
            self.peer_closed_at = self._poller.now
        if self._send_encrypted(owed) and self._got_close_notify and not self._pending:
            self.close(CloseReason.EOF)

    def _receive_encrypted(self) -> bool:
        """Read one encrypted chunk; return whether there is anything to decrypt."""
        nbytes = self._receive(self._lane.tls_buffers)
        if nbytes:
            self._started = True
            self.active_at = self._poller.now
            self._incoming.write(self._lane.buffer[:nbytes])
        return nbytes > 0

    def _on_eof(self) -> None:
        if self._started and self.handshaking:
            self.close(CloseReason.TLS_ERROR, "the client closed the connection during the handshake")
        else:  # many clients omit close_notify: only they can judge whether something is missing
            self.close(CloseReason.EOF)

    def _decrypted(self) -> Iterator[memoryview]:
        """Yield what has arrived until the client's close_notify; raise `SSLWantReadError` if there is no more yet."""
        buffer = self._lane.buffer
        while nbytes := cast("int", self._tls.read(len(buffer), buffer)):
            self._count_received(nbytes)
            yield buffer[:nbytes]

    def _send_encrypted(self, owed: int) -> bool:
        """Send everything encrypted so far, which answers `owed` received bytes; return whether the socket is open."""
        return self._send(memoryview(self._outgoing.read()), owed)

    def _resume_reading(self) -> None:
        if self._got_close_notify and not self.closing_since:
            self.close(CloseReason.EOF)
        else:
            super()._resume_reading()

    def _close_notify(self) -> None:
        with suppress(ssl.SSLError):  # OpenSSL also wants the client's close_notify, which may never arrive
            self._tls.unwrap()

    def _shut_down_writing(self) -> None:
        if self._version:
            self._close_notify()
            if not self._send_encrypted(0):
                return
        if not self._pending:  # otherwise again once it is flushed
            super()._shut_down_writing()

    def _discard(self) -> None:
        if not self._receive_encrypted():
            return
        try:
            for chunk in self._decrypted():
                self._count_unsent(len(chunk))
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:  # the client's close_notify, after the server's
            pass
        except ssl.SSLError as error:
            self.close(CloseReason.TLS_ERROR, plain_reason(error, agreed=not self.handshaking))
            return
        self.close(CloseReason.EOF)

    def _give_up_waiting(self) -> None:
        with suppress(OSError, ssl.SSLError):
            self._incoming.write(read(self.fd, self._queue_bytes(termios.FIONREAD)))
            for chunk in self._decrypted():
                self._count_unsent(len(chunk))

    def close(self, reason: CloseReason, error: str = "") -> None:
        """Close as `Connection` does; if the end is orderly, try to send close_notify first."""
        if self._version and not self._pending and reason not in {CloseReason.RESET, CloseReason.TLS_ERROR}:
            self._close_notify()
            if outgoing := self._outgoing.read():
                with suppress(OSError):  # reset, or the kernel's queue is full
                    write(self.fd, outgoing)
        super().close(reason, error)

    def _log_fields(self) -> dict[str, str]:
        return super()._log_fields() | ({"tls": self._version} if self._version else {})
