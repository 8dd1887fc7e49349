"""The other end of a connection over TLS."""

import asyncio
import contextlib
import socket
import ssl

from unit.peer import Peer

_PART_BYTES = 1 << 16


class TlsPeer(Peer):
    """A client that the test drives step by step: TLS works in memory, and each step sends what it produced."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Use a connected socket, on which the handshake has not begun."""
        super().__init__(connection)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self._decrypted = bytearray()  # and not yet received by the test
        self._ended = False
        self.got_close_notify = False  # whether the server closed TLS, and not just its socket
        self.rest = b""  # encrypted, and still to be sent

    async def start_handshake(self, limit: int = _PART_BYTES) -> None:
        """Send the first message of the handshake, or the beginning of it, and no more."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        await super().send(self._outgoing.read(limit))

    async def handshake(self, cut: int = _PART_BYTES) -> None:
        """Do the handshake, in segments of at most `cut` bytes; raise `SSLError` if it fails."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush(cut)
                if not await self.read_socket():
                    raise ConnectionError("it ended during the handshake") from None
                continue
            finally:
                await self._flush(cut)
            return

    async def _flush(self, cut: int) -> None:
        """Send what TLS produced, in segments."""
        data = self._outgoing.read()
        for start in range(0, len(data), cut):
            await super().send(data[start : start + cut])
            await asyncio.sleep(0)  # lets the server run

    async def send(self, data: bytes, cut: int = _PART_BYTES) -> None:
        """Encrypt and send, in segments."""
        for start in range(0, len(data), _PART_BYTES):
            self._tls.write(data[start : start + _PART_BYTES])
            await self._flush(cut)

    async def receive(self, nbytes: int) -> bytes:
        """Read `nbytes`, or fewer if the other side ends first; raise `SSLError` for an alert."""
        self._decrypt(nbytes)
        while len(self._decrypted) < nbytes and not self._ended and await self.read_socket():
            self._decrypt(nbytes)
        reply = bytes(self._decrypted[:nbytes])
        del self._decrypted[:nbytes]
        return reply

    def _decrypt(self, nbytes: int) -> None:
        """Decrypt what has arrived, until there are so many bytes."""
        while not self._ended and len(self._decrypted) < nbytes:
            try:
                part = self._tls.read(_PART_BYTES)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                part = b""
            self.got_close_notify = self._ended = not part
            self._decrypted += part

    def close_notify(self) -> bytes:
        """Return the record that closes this side of TLS, for `Peer.send`."""
        self._decrypt(1 << 62)  # unwrap() fails if there is unread data, and loses it
        with contextlib.suppress(ssl.SSLWantReadError):  # for the server's close_notify
            self._tls.unwrap()
        return self._outgoing.read()

    async def send_close_notify(self) -> None:
        """Close this side of TLS, and leave the socket open."""
        await super().send(self.close_notify())

    def encoded(self, data: bytes) -> bytes:
        """Encrypt, and return what is to be sent."""
        self._tls.write(data)
        return self._outgoing.read()

    async def send_rest(self) -> None:
        """Send the rest of what `Serving.fill` began."""
        await super().send(self.rest)

    async def read_socket(self) -> bool:
        """Read from the socket; return whether there was anything."""
        part = await super().receive_some()
        self._incoming.write(part)
        return bool(part)
