"""TLS between the socket and the transform."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from os import write
from typing import TYPE_CHECKING, cast

from stentor_chassis.address import Address
from stentor_chassis.failure import COULD_NOT_START, Failure
from stentor_server.metrics import CloseReason
from stentor_server.options import ServerOptions
from stentor_server.path.connection import Connection
from stentor_server.path.transform import translate

if TYPE_CHECKING:
    from stentor_server.server import Server


def tls_context(options: ServerOptions) -> ssl.SSLContext | None:
    """Read the certificate, the key and the clients' authorities anew; None where TLS was not asked for.

    Raises:
        Failure: in one line, which file cannot be used, and why.

    """
    cert, key, client_ca = options.tls_cert, options.tls_key, options.tls_client_ca
    if not cert or not key:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        _load(made, cert, key)
    except OSError as error:
        raise Failure(COULD_NOT_START, f"cannot read {error.filename}: {error.strerror}") from error
    if client_ca:
        try:
            made.load_verify_locations(client_ca)
        except ssl.SSLError as error:
            raise Failure(COULD_NOT_START, f"no certificates in {client_ca}: {_why(error)}") from error
        except OSError as error:
            raise Failure(COULD_NOT_START, f"cannot read {client_ca}: {error.strerror}") from error
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    locked = False

    def password() -> str:
        nonlocal locked
        locked = True  # nobody else is asked: without an answer OpenSSL would ask on the terminal
        return ""

    for path in (cert, key):  # load_cert_chain() does not say which of the two it cannot read
        with open(path, "rb") as file:
            content = file.read()
    try:
        context.load_cert_chain(cert, key, password)
    except ssl.SSLError as error:
        if error.reason:
            why = _why(error)
        elif locked:
            why = "the key is encrypted, and must not be"
        elif b"PRIVATE KEY-----" not in content:
            why = "there is no key in the file; --tls-key names another"
        else:
            why = "not whole, or not PEM"  # of which OpenSSL says no more
        raise Failure(COULD_NOT_START, f"cannot use the certificate {cert} with the key {key}: {why}") from error


def _why(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


class TlsConnection(Connection):
    """A connection whose bytes are decrypted before the transform and encrypted after it.

    OpenSSL works on two buffers in memory here, so that the socket stays the connection's own, and with it the exact
    account of what the kernel took.
    """

    __slots__ = ("_arriving", "_begun", "_departing", "_ended", "_tls", "_version")

    def __init__(self, tls: ssl.SSLContext, server: "Server", fd: int, client: Address, proxy: Address = ()) -> None:
        """Take the server's part of the handshake when the client begins."""
        super().__init__(server, fd, client, proxy)
        self._arriving = ssl.MemoryBIO()
        self._departing = ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._arriving, self._departing, server_side=True)
        self._begun = False
        self._version = ""  # of TLS, once the handshake is done
        self._ended = False  # whether the client has said that it has, so that nothing is left to be read

    @property
    def handshaking(self) -> bool:
        """Whether the handshake is under way."""
        return not self._version

    @property
    def engaged(self) -> bool:
        """Whether answers wait, or the handshake, once the client has begun it, is under way."""
        return self.waiting or (self._begun and self.handshaking)

    def ready(self, events: int) -> None:
        """Answer what the next encrypted chunk holds."""
        if self._slow:
            self._ready_slowly(events)
            return
        if not self._arrive():
            return
        owed = 0
        try:
            if not self._version:
                self._tls.do_handshake()
                self._version = self._tls.version() or "unknown"
            for chunk in self._decrypted():
                translate(chunk, self._server.table, inplace=True)
                self._tls.write(chunk)
                owed += len(chunk)
            self._ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if self._send_encrypted(owed):  # with the alert that tells the client why
                self.close(CloseReason.TLS_ERROR, _why(error))
            return
        if self._ended:
            self._close_notify()
            self.ended_at = self._poller.now
        if self._send_encrypted(owed) and self._ended and not self._waiting:
            self.close(CloseReason.EOF)

    def _arrive(self) -> bool:
        """Read one encrypted chunk; return whether there is anything to decrypt."""
        nbytes = self._receive(self._server.tls_buffers)
        if nbytes:
            self._begun = True
            self.active_at = self._poller.now
            self._arriving.write(self._server.buffer[:nbytes])
        return nbytes > 0

    def _peer_ended(self) -> None:
        if self._begun and self.handshaking:
            self.close(CloseReason.TLS_ERROR, "it ended during the handshake")
        else:  # without close_notify, which many leave out: whether something is missing the client must judge
            self.close(CloseReason.EOF)

    def _decrypted(self) -> Iterator[memoryview]:
        """Yield what has arrived, and end when the client has; raise `SSLWantReadError` where there is no more yet."""
        buffer = self._server.buffer
        while nbytes := cast("int", self._tls.read(len(buffer), buffer)):
            self._count_received(nbytes)
            yield buffer[:nbytes]

    def _send_encrypted(self, owed: int) -> bool:
        """Send what is encrypted by now, and with it `owed` bytes that were received; return whether it can go on."""
        return self._send(memoryview(self._departing.read()), owed)

    def _caught_up(self) -> None:
        if self._ended and not self.leaving_since:
            self.close(CloseReason.EOF)
        else:
            super()._caught_up()

    def _close_notify(self) -> None:
        with suppress(ssl.SSLError):  # it wants the client's close_notify, which may come or not
            self._tls.unwrap()

    def _end_side(self) -> None:
        if self._version:
            self._close_notify()
            if not self._send_encrypted(0):
                return
        if not self._waiting:  # otherwise again when it has gone
            super()._end_side()

    def _drop(self) -> None:
        if not self._arrive():
            return
        try:
            for chunk in self._decrypted():
                self._lose(len(chunk))
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:  # the client's close_notify, when ours went first
            pass
        except ssl.SSLError as error:
            self.close(CloseReason.TLS_ERROR, _why(error))
            return
        self.close(CloseReason.EOF)

    def close(self, reason: CloseReason, error: str = "") -> None:
        """Close the socket and the account; where the end is orderly, and not said yet, say it as well as can be."""
        if self._version and not self._waiting and reason not in {CloseReason.RESET, CloseReason.TLS_ERROR}:
            self._close_notify()
            if departing := self._departing.read():
                with suppress(OSError):  # it was reset, or its kernel's queue is full to the last byte
                    write(self.fd, departing)
        super().close(reason, error)

    def facts(self) -> dict[str, str]:
        """Return what the log says of this connection besides what it says of all."""
        return {**super().facts(), **({"tls": self._version} if self._version else {})}
