"""A proxy that alters what it passes on, in a way the test chooses."""

import socket
import threading
from collections.abc import Callable

from lying import LyingServer

Alter = Callable[[bytes], bytes]


def _same(data: bytes) -> bytes:
    return data


def altering(address: tuple[str, int], there: Alter = _same, back: Alter = _same) -> LyingServer:
    """Return a proxy in front of a server, for `with`: each chunk goes through `there`, or `back`, on its way."""

    def serve(connection: socket.socket) -> None:
        with socket.create_connection(address, 30) as server:
            server.settimeout(None)
            answering = threading.Thread(target=_pass_on, args=(server, connection, back), daemon=True)
            answering.start()
            _pass_on(connection, server, there)
            answering.join(10)

    return LyingServer(serve)


def once(alter: Alter, after: int = 0) -> Alter:
    """Return what alters one chunk, that after so many others."""
    chunks = 0

    def maybe(data: bytes) -> bytes:
        nonlocal chunks
        chunks += 1
        return alter(data) if chunks == after + 1 else data

    return maybe


def _pass_on(source: socket.socket, sink: socket.socket, alter: Alter) -> None:
    """Pass on until the source ends, and its end too."""
    try:
        while data := source.recv(65536):
            sink.sendall(alter(data))
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # the other end, or the end of the test, was quicker
        for end in (source, sink):
            end.close()
