"""The other end of a connection."""

import asyncio
import socket

from connections import reset


class Peer:
    """The end of a connection that is not being tested."""

    def __init__(self, connection: socket.socket) -> None:
        """Take a connected socket over."""
        connection.setblocking(False)
        self.connection = connection
        self.was_reset = False
        self._loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._loop.sock_sendall(self.connection, data)

    def encoded(self, data: bytes) -> bytes:
        """Return what goes over the wire for `data`, which is to be sent."""
        return data

    async def receive_some(self, most: int = 1 << 18) -> bytes:
        """Read what has come, at least a byte; nothing when the other side has ended."""
        try:
            return await self._loop.sock_recv(self.connection, most)
        except ConnectionError:
            self.was_reset = True
            return b""

    async def receive(self, nbytes: int) -> bytes:
        """Read as many bytes, or fewer where the other side ends first."""
        parts: list[bytes] = []
        while nbytes > 0 and (part := await self.receive_some(min(nbytes, 1 << 18))):
            parts.append(part)
            nbytes -= len(part)
        return b"".join(parts)

    async def receive_all(self) -> bytes:
        """Read until the other side ends."""
        return await self.receive(1 << 62)

    async def exchange(self, data: bytes) -> bytes:
        """Send, and read as many bytes as were sent meanwhile."""
        _, answer = await asyncio.gather(self.send(data), self.receive(len(data)))
        return answer

    def shut_down_writing(self) -> None:
        """End this side."""
        self.connection.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection without a word, as a crash would."""
        reset(self.connection)
