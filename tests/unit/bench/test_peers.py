"""Every peer does the job that is measured."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.contender import Contender, stentor
from bench.peer import PEERS, UnavailableError
from bench.server import Server, ServerFailedError

ALL_BYTES = bytes(range(256))
MIB = 1024 * 1024
MOST_KEPT_BYTES = 256 * MIB  # far more than all buffers on the way


@pytest.fixture(scope="module", params=[*PEERS, None], ids=lambda peer: peer.name if peer else "stentor")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running peer; skipped where it cannot be built or run."""
    folder: Path = tmp_path_factory.mktemp("peer")
    try:
        peer = Contender(request.param.name, request.param.command(folder)) if request.param else stentor()
        with peer.running((0, 1), folder) as server:
            yield server
    except (UnavailableError, ServerFailedError) as error:
        pytest.skip(str(error))


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    """A connection to it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def received(connection: socket.socket, length: int) -> bytes:
    """Return so many bytes, or as many as come."""
    data = bytearray()
    while len(data) < length and (chunk := connection.recv(length - len(data))):
        data += chunk
    return bytes(data)


def sent_until_blocked(connection: socket.socket, message: bytes) -> int:
    """Send a message over and over; return how many bytes went before nothing moved for a while."""
    sent = 0
    connection.settimeout(0.5)
    with suppress(TimeoutError):
        while sent < MOST_KEPT_BYTES:
            sent += connection.send(message[sent % len(message) :])
    return sent


def test_a_to_z_and_nothing_else(connection: socket.socket) -> None:
    """All byte values come back, and only the letters a to z are changed."""
    connection.sendall(ALL_BYTES)
    assert received(connection, 256) == ALL_BYTES.upper()


def test_every_length(connection: socket.socket) -> None:
    """Messages of any length are answered in order, on one connection."""
    for length in (1, 2, 3, 5, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1023, 65535, 65536, 65537, 300_001):
        message = random.Random(length).randbytes(length)
        connection.sendall(message)
        assert received(connection, length) == message.upper()


def test_half_close(connection: socket.socket) -> None:
    """Everything sent before a FIN is answered, and then the server ends its side too."""
    message = random.Random(1).randbytes(3 * MIB)

    def send() -> None:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    assert received(connection, len(message) + 1) == message.upper()
    sender.join()


def test_a_peer_that_does_not_read_is_not_read_from(connection: socket.socket, server: Server) -> None:
    """The server keeps no more than its buffers, serves others meanwhile, and loses nothing."""
    message = random.Random(2).randbytes(MIB)
    sent = sent_until_blocked(connection, message)
    assert sent < MOST_KEPT_BYTES
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as other:
        other.sendall(b"other")
        assert received(other, 5) == b"OTHER"
    connection.settimeout(20)
    connection.shutdown(socket.SHUT_WR)
    expected = (message * (sent // MIB + 1))[:sent].upper()
    assert received(connection, sent + 1) == expected


def test_small_messages_are_not_held_back(connection: socket.socket) -> None:
    """TCP_NODELAY is set: two messages at once, sent apart, are answered within far less than a delayed ACK."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(20)
    for _ in range(50):
        connection.sendall(b"a")
        connection.sendall(b"b")
        assert received(connection, 2) == b"AB"
