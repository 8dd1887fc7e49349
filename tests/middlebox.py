"""What stands between a client and a server, and spoils what passes in a way the test chooses."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from lying import Behaviour

Pump = Callable[[socket.socket, socket.socket], None]  # takes a client's connection and one to the server, to their end

CHUNK_BYTES = 64 * 1024


def between(target: str, pump: Pump) -> Behaviour:
    """Return the behaviour of a `LyingServer` that connects each caller to `target` through `pump`."""
    host, _, port = target.rpartition(":")

    def behaviour(client: socket.socket) -> None:
        with socket.create_connection((host, int(port)), 30) as server:
            pump(client, server)

    return behaviour


def honest(client: socket.socket, server: socket.socket) -> None:
    """Pass everything on, the end of each side as well."""
    with _beside(server, client):
        _pass_on(client, server)


def end_both(client: socket.socket, server: socket.socket) -> None:
    """End both directions as soon as the client ends its own."""
    with _beside(server, client):
        for data in iter(lambda: client.recv(CHUNK_BYTES), b""):
            server.sendall(data)
        for each in (server, client):
            each.shutdown(socket.SHUT_RDWR)


def keep_the_end(client: socket.socket, server: socket.socket) -> None:
    """Do not tell the server that the client has ended."""
    with _beside(server, client):
        for data in iter(lambda: client.recv(CHUNK_BYTES), b""):
            server.sendall(data)


def swallow_above(nbytes: int) -> Pump:
    """Pass nothing on any more once more than so many bytes came at once: a black hole for large packets."""

    def pump(client: socket.socket, server: socket.socket) -> None:
        with _beside(server, client):
            swallows = False
            for data in iter(lambda: client.recv(CHUNK_BYTES), b""):
                swallows = swallows or len(data) > nbytes
                if not swallows:
                    server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    return pump


def cut_when_idle(seconds: float) -> Pump:
    """Reset the client's connection when it says nothing for so long."""

    def pump(client: socket.socket, server: socket.socket) -> None:
        with _beside(server, client):
            client.settimeout(seconds)
            try:
                _pass_on(client, server)
            except TimeoutError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                server.shutdown(socket.SHUT_RDWR)

    return pump


def forget_when_idle(seconds: float) -> Pump:
    """Pass nothing on any more, and say nothing, once a client said nothing for so long."""

    def pump(client: socket.socket, server: socket.socket) -> None:
        with _beside(server, client):
            client.settimeout(seconds)
            try:
                _pass_on(client, server)
            except TimeoutError:
                client.settimeout(30)
                while client.recv(CHUNK_BYTES):
                    pass
                server.shutdown(socket.SHUT_RDWR)

    return pump


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    for data in iter(lambda: source.recv(CHUNK_BYTES), b""):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _beside(source: socket.socket, sink: socket.socket) -> Iterator[None]:
    """Pass on from source to sink in a thread, while the block does what it will, and to the end of both."""

    def run() -> None:
        with contextlib.suppress(OSError):  # who ended it was quicker
            _pass_on(source, sink)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
