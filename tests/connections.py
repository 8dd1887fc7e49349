"""Connections to the server: one, or many of which none waits for another."""

import asyncio
import contextlib
import select
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Self

from waiting import SECONDS

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, see socket(7)


def reserved() -> socket.socket:
    """Return a socket whose port refuses connections, and which the kernel gives only to a service that asks for it."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a listener may join it, see socket(7)
    bound.bind(("127.0.0.1", 0))
    return bound


def exchanged(connection: socket.socket, data: bytes = b"a") -> bool:
    """Send, read as much, and return whether it is right; it is not if the server ended the connection."""
    answer = b""
    try:
        connection.sendall(data)
        while len(answer) < len(data) and (part := connection.recv(1 << 16)):
            answer += part
    except (ConnectionError, TimeoutError):
        return False
    return answer == data.upper()


def read_all(connection: socket.socket) -> bytes:
    """Read to the server's end."""
    return b"".join(iter(lambda: connection.recv(1 << 20), b""))


def was_ended(connection: socket.socket, data: bytes = b"") -> bool:
    """Send, and return whether the server answers nothing, and ends or resets the connection."""
    try:
        connection.sendall(data)
        return not read_all(connection)
    except ConnectionError:
        return True


def send_and_end(connection: socket.socket, data: bytes) -> None:
    """Send, and end our side."""
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def answer_to(connection: socket.socket, data: bytes) -> bytes:
    """Send and end our side while reading, and return all that arrives."""
    writer = threading.Thread(target=send_and_end, args=(connection, data))
    writer.start()
    answer = read_all(connection)
    writer.join()
    return answer


def reset(connection: socket.socket) -> None:
    """End a connection without a word, as a crash would."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()


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
