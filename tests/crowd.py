"""Many connections of one process, none of which waits for another."""

import asyncio
import contextlib
import select
import socket
from collections.abc import Sequence
from typing import Self

import connections
from waiting import SECONDS


class Crowd:
    """Connections to one address, open from the beginning to the end of the block."""

    def __init__(self, address: tuple[str, int], count: int, *, buffer_bytes: int = 0) -> None:
        """Begin to connect all at once; the kernel keeps about `buffer_bytes` of each, if that is not 0."""
        self.callers = [socket.socket() for _ in range(count)]
        for caller in self.callers:
            caller.setblocking(False)
            for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF) if buffer_bytes else ():
                caller.setsockopt(socket.SOL_SOCKET, buffer, buffer_bytes)
            caller.connect_ex(address)

    def __enter__(self) -> Self:
        """Close when the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close whatever is still open."""
        for caller in self.callers:
            caller.close()

    def connected(self) -> int:
        """Return how many handshakes are done."""
        poll = select.poll()
        for caller in self.callers:
            poll.register(caller, select.POLLOUT)
        return sum(events == select.POLLOUT for _, events in poll.poll(0))

    def reset(self) -> None:
        """Cut all connections."""
        for caller in self.callers:
            connections.reset(caller)

    def write(self) -> int:
        """Write everywhere as much as is taken now, and read nowhere; return how many bytes that was."""
        chunk, taken = bytes(1 << 16), 0
        for caller in self.callers:
            with contextlib.suppress(BlockingIOError, ConnectionError):  # cut by the server
                while True:
                    taken += caller.send(chunk)
        return taken

    def exchange(self, messages: Sequence[bytes], *, end: bool = True) -> list[bytes]:
        """Send to everybody its message, read each answer while sending, and return them.

        With `end` each connection ends its side, and is read to the server's end; otherwise the answer is as long as
        the message, and the connection stays.
        """

        async def talks() -> list[bytes]:
            pairs = zip(self.callers, messages, strict=True)
            async with asyncio.timeout(SECONDS):
                return await asyncio.gather(*(_talk(caller, message, end=end) for caller, message in pairs))

        return asyncio.run(talks())


async def _talk(caller: socket.socket, message: bytes, *, end: bool) -> bytes:
    loop = asyncio.get_running_loop()

    async def send() -> None:
        await loop.sock_sendall(caller, message)
        if end:
            caller.shutdown(socket.SHUT_WR)

    sending = asyncio.create_task(send())
    answer = bytearray()
    while (end or len(answer) < len(message)) and (part := await loop.sock_recv(caller, 1 << 16)):
        answer += part
    await sending
    return bytes(answer)
