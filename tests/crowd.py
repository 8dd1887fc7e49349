"""Many connections of one process, none of which waits for another."""

import select
import selectors
import socket
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from waiting import until

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, see socket(7)


class Crowd:
    """Connections to one address, open from the beginning to the end of the block."""

    def __init__(self, address: tuple[str, int], count: int, *, buffer_bytes: int = 0) -> None:
        """Begin to connect all at once; the kernel keeps about `buffer_bytes` of each, if that is not 0."""
        self.callers = []
        for _ in range(count):
            caller = socket.socket()
            self.callers.append(caller)
            caller.setblocking(False)
            if buffer_bytes:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
            caller.connect_ex(address)

    def __enter__(self) -> Self:
        """Close when the block ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close whatever is still open."""
        for caller in self.callers:
            caller.close()

    def connected(self) -> list[socket.socket]:
        """Return those whose handshake is done."""
        poll = select.poll()
        for caller in self.callers:
            poll.register(caller, select.POLLOUT)
        ready = {fd for fd, events in poll.poll(0) if events == select.POLLOUT}
        return [caller for caller in self.callers if caller.fileno() in ready]

    def reset(self) -> None:
        """Cut all connections."""
        for caller in self.callers:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            caller.close()

    def write_until_nothing_is_taken(self) -> int:
        """Write everywhere and read nowhere, until for some rounds nobody took a byte; return how many were taken."""
        chunk = memoryview(bytes(1 << 16))
        taken = still = 0

        def round_without_progress() -> bool:
            nonlocal taken, still
            before = taken
            taken += sum(_sent(caller, chunk) for caller in self.callers)
            still = still + 1 if taken == before else 0
            return still == 10

        until(round_without_progress, "the connections to take no more", 60)
        return taken

    def exchange(self, messages: Sequence[bytes], *, end: bool = True) -> list[bytes]:
        """Send to everybody its message, read each answer while sending, and return them.

        With `end` each connection ends its side, and is read to the server's end; otherwise the answer is as long as
        the message, and the connection stays.
        """
        talks = [_Talk(*each, end=end) for each in zip(self.callers, messages, strict=True)]
        with selectors.DefaultSelector() as selector:
            for talk in talks:
                selector.register(talk.caller, selectors.EVENT_READ | selectors.EVENT_WRITE, talk)
            for key, events in _ready(selector):
                talk = key.data
                if events & selectors.EVENT_WRITE and talk.write():
                    selector.modify(key.fileobj, selectors.EVENT_READ, talk)
                if events & selectors.EVENT_READ and talk.read():
                    selector.unregister(key.fileobj)
        return [bytes(talk.answer) for talk in talks]


class _Talk:
    """One message, and its answer as far as it has come."""

    def __init__(self, caller: socket.socket, message: bytes, *, end: bool) -> None:
        self.caller = caller
        self.answer = bytearray()
        self._rest = memoryview(message)
        self._length = len(message)
        self._end = end

    def write(self) -> bool:
        """Send a part; return whether that was the last."""
        self._rest = self._rest[_sent(self.caller, self._rest) :]
        if not self._rest and self._end:
            self.caller.shutdown(socket.SHUT_WR)
        return not self._rest

    def read(self) -> bool:
        """Take a part of the answer; return whether that was the last."""
        part = self.caller.recv(1 << 16)
        self.answer += part
        return not part if self._end else not part or len(self.answer) >= self._length


def _ready(selector: selectors.BaseSelector) -> Iterator[tuple[selectors.SelectorKey, int]]:
    while selector.get_map():
        found = selector.select(30)
        assert found, f"{len(selector.get_map())} connections made no progress for 30 s"
        yield from found


def _sent(caller: socket.socket, data: memoryview) -> int:
    try:
        return caller.send(data)
    except BlockingIOError:
        return 0
