"""A proxy between a client and a server, which spoils what passes in a way the test chooses."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from connections import reset
from lying import Behaviour

Pump = Callable[[socket.socket, socket.socket], None]  # from a client's connection to one to the server, to their end
Alter = Callable[[bytes], bytes]

CHUNK_BYTES = 64 * 1024


def between(target: str, pump: Pump) -> Behaviour:
    """Return the behaviour of a `LyingServer` that connects each caller to `target` through `pump`."""
    host, _, port = target.rpartition(":")

    def behaviour(client: socket.socket) -> None:
        with socket.create_connection((host, int(port)), 30) as server:
            pump(client, server)

    return behaviour


def altering(there: Alter = bytes, back: Alter = bytes) -> Pump:
    """Pass everything on, each chunk through `there` or `back` on its way, and the end of each side as well."""

    def pump(client: socket.socket, server: socket.socket) -> None:
        with _beside(server, client, back):
            _pass_on(client, server, there)

    return pump


def once(alter: Alter, after: int) -> Alter:
    """Alter one chunk, after so many others."""
    chunks = iter(range(after + 1))
    return lambda data: alter(data) if next(chunks, None) == after else data


honest = altering()


def keep_the_end(client: socket.socket, server: socket.socket) -> None:
    """Do not tell the server that the client has ended."""
    with _beside(server, client):
        for data in iter(lambda: client.recv(CHUNK_BYTES), b""):
            server.sendall(data)


def swallow_above(nbytes: int) -> Pump:
    """Pass nothing on any more once more than so many bytes arrived at once: a black hole for large packets."""

    def pump(client: socket.socket, server: socket.socket) -> None:
        swallows = False

        def swallow(data: bytes) -> bytes:
            nonlocal swallows
            swallows = swallows or len(data) > nbytes
            return b"" if swallows else data

        altering(swallow)(client, server)

    return pump


def cut_when_idle(seconds: float) -> Pump:
    """Reset the client's connection when it says nothing for so long."""

    return _when_idle(seconds, reset)


def forget_when_idle(seconds: float) -> Pump:
    """Pass nothing on any more, and say nothing, once a client said nothing for so long."""

    def forget(client: socket.socket) -> None:
        client.settimeout(30)
        while client.recv(CHUNK_BYTES):
            pass

    return _when_idle(seconds, forget)


def _when_idle(seconds: float, then: Callable[[socket.socket], None]) -> Pump:
    def pump(client: socket.socket, server: socket.socket) -> None:
        with _beside(server, client):
            client.settimeout(seconds)
            try:
                _pass_on(client, server)
            except TimeoutError:
                then(client)
                server.shutdown(socket.SHUT_RDWR)

    return pump


def _pass_on(source: socket.socket, sink: socket.socket, alter: Alter = bytes) -> None:
    for data in iter(lambda: source.recv(CHUNK_BYTES), b""):
        sink.sendall(alter(data))
    sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _beside(source: socket.socket, sink: socket.socket, alter: Alter = bytes) -> Iterator[None]:
    """Pass on from source to sink in a thread during the block, and to the end of both."""

    def run() -> None:
        with contextlib.suppress(OSError):  # the side that ended it was quicker
            _pass_on(source, sink, alter)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
