"""A server that lies in a way the test chooses."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

import connections

Behaviour = Callable[[socket.socket], None]


class LyingServer:
    """Hands each connection, in a thread of its own, to a behaviour; the connection is closed when that returns."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port of loopback, and speak `tls` if there is any."""
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        """Serve."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            self._behaviour(connection)
        except OSError:
            pass  # the client, or the end of the test, was quicker
        finally:
            connection.close()


def flip(connection: socket.socket) -> None:
    """Answer with one wrong byte: the fifth."""
    for data in iter(lambda: connection.recv(65536), b""):
        reply = bytearray(data.upper())
        reply[4] ^= 1
        connection.sendall(reply)


def truncate(connection: socket.socket) -> None:
    """Answer all but the last byte, and end."""
    connection.sendall(connection.recv(65536).upper()[:-1])


def add(connection: socket.socket) -> None:
    """Answer with a byte too much."""
    connection.sendall(connection.recv(65536).upper() + b"!")
    connection.recv(65536)


def close_early(connection: socket.socket) -> None:
    """End without an answer."""
    connection.recv(65536)


def reset(connection: socket.socket) -> None:
    """Reset without an answer."""
    connection.recv(65536)
    connections.reset(connection)


def stay_silent(connection: socket.socket) -> None:
    """Read, answer nothing, and stay."""
    while connection.recv(65536):
        pass
    threading.Event().wait(30)


def echo(connection: socket.socket) -> None:
    """Answer with what came, as a looped cable would."""
    while data := connection.recv(65536):
        connection.sendall(data)


def repeat_the_first(connection: socket.socket) -> None:
    """Answer every message as the first one."""
    first = b""
    for data in iter(lambda: connection.recv(65536), b""):
        first = first or data.upper()
        connection.sendall(first)


def stall(connection: socket.socket) -> None:
    """Answer half, and stay."""
    data = connection.recv(65536)
    connection.sendall(data[: len(data) // 2].upper())
    stay_silent(connection)


class Flooding:
    """A behaviour that sends without end, and counts for each connection what it could send."""

    MOST_BYTES = 256 << 20  # a client that takes all of this takes everything

    def __init__(self, *, answer: bool) -> None:
        """Send at once, or with `answer` after the right reply to the first message."""
        self._answer = answer
        self.sent: list[int] = []  # bytes, of each connection that has ended

    def __call__(self, connection: socket.socket) -> None:
        """Flood until the client ends the connection."""
        chunk, sent = b"A" * (1 << 20), 0
        try:
            if self._answer:
                connection.sendall(connection.recv(65536).upper())
            while sent < self.MOST_BYTES:
                connection.sendall(chunk)
                sent += len(chunk)
        finally:
            self.sent.append(sent)
