"""The other end of a connection over TLS."""

import asyncio
import contextlib
import socket
import ssl

from unit.peer import Peer
from unit.server.authority import HOST

_PART_BYTES = 1 << 16


class TlsPeer(Peer):
    """A client whose every step is the test's: TLS happens in memory, and what it wants to send is sent on demand."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Take a connected socket over; nothing is said yet."""
        super().__init__(connection)
        self._arriving, self._departing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._arriving, self._departing, server_hostname=HOST)
        self.got_close_notify = False  # whether the server has said that it ended, not just its socket
        self.ended = False
        self.rest = b""  # encrypted, and still to be sent

    async def shake(self, cut: int = _PART_BYTES) -> None:
        """Do the handshake, in segments of `cut` bytes at the most; raise `SSLError` where it fails."""
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await self.flush(cut)
                if not await self._take():
                    raise ConnectionError("it ended during the handshake") from None
                continue
            except ssl.SSLError:
                await self.flush(cut)
                raise
            await self.flush(cut)
            return

    async def flush(self, cut: int = _PART_BYTES) -> None:
        """Send what TLS wants to, in segments."""
        data = self._departing.read()
        for start in range(0, len(data), cut):
            await super().say(data[start : start + cut])
            await asyncio.sleep(0)  # gives the server its turn

    async def say(self, data: bytes, cut: int = _PART_BYTES) -> None:
        """Encrypt and send, in segments."""
        for start in range(0, len(data), _PART_BYTES):
            self.tls.write(data[start : start + _PART_BYTES])
            await self.flush(cut)

    async def hear(self, nbytes: int) -> bytes:
        """Read as many bytes, or fewer where the other side ends first; raise `SSLError` for an alert."""
        heard = bytearray()
        while len(heard) < nbytes and not self.ended:
            try:
                part = self.tls.read(min(nbytes - len(heard), _PART_BYTES))
            except ssl.SSLWantReadError:
                self.ended = not await self._take()
                continue
            except ssl.SSLZeroReturnError:
                part = b""
            if not part:
                self.got_close_notify = self.ended = True
            heard += part
        return bytes(heard)

    def close_notify(self) -> bytes:
        """Return what says that this side has ended, for `Peer.say` to send."""
        with contextlib.suppress(ssl.SSLWantReadError):  # for the other side's
            self.tls.unwrap()
        return self._departing.read()

    async def send_close_notify(self) -> None:
        """End this side of TLS, and leave the socket as it is."""
        await super().say(self.close_notify())

    def push(self, data: bytes) -> bytes:
        """Encrypt, and return what is to be sent."""
        self.tls.write(data)
        return self._departing.read()

    async def say_rest(self) -> None:
        """Send the rest of what `Serving.stuff` began."""
        await super().say(self.rest)

    async def _take(self) -> bool:
        """Read something of the socket; return whether there was anything."""
        part = await super().hear_some()
        self._arriving.write(part)
        return bool(part)
