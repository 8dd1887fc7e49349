"""Every peer does the job that is measured."""

import ctypes
import os
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.contender import TITLES, contenders
from bench.server import Server

PIDFD_GETFD = 438
SYSTEM_CALL = ctypes.CDLL(None).syscall
MIB = 1024 * 1024
KEPT_BYTES = 256 * MIB  # far more than all buffers on the way


@pytest.fixture(scope="module", params=TITLES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server; skipped if it cannot be built or run."""
    folder = tmp_path_factory.mktemp("peer")
    ready, skipped = contenders(folder, [request.param])
    if skipped:
        pytest.skip(skipped[request.param])
    with ready[0].running((0, 1), folder) as server:
        yield server


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    """A connection to it."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        yield connection


def test_it_upper_cases_a_to_z_and_nothing_else(connection: socket.socket) -> None:
    """Messages of any length are answered in order, whatever their bytes."""
    for length in (1, 2, 3, 5, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1023, 65535, 65536, 65537, 300_001):
        message = bytes(range(256)) if length == 256 else random.Random(length).randbytes(length)
        connection.sendall(message)
        assert connection.recv(length, socket.MSG_WAITALL) == message.upper()


def test_it_answers_everything_before_a_fin(connection: socket.socket) -> None:
    """It answers while it receives, and then closes its side too."""
    message = random.Random(1).randbytes(3 * MIB)

    def send() -> None:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    assert connection.recv(len(message) + 1, socket.MSG_WAITALL) == message.upper()
    sender.join()


def test_it_does_not_read_from_a_client_that_does_not_read(connection: socket.socket, server: Server) -> None:
    """It keeps no more than its buffers, serves others meanwhile, and loses nothing."""
    message, sent = random.Random(2).randbytes(MIB), 0
    connection.settimeout(0.5)
    with suppress(TimeoutError):
        while sent < KEPT_BYTES:
            sent += connection.send(message[sent % MIB :])
    assert sent < KEPT_BYTES
    with socket.create_connection(("127.0.0.1", server.port)) as other:
        other.sendall(b"other")
        assert other.recv(5, socket.MSG_WAITALL) == b"OTHER"
    connection.settimeout(None)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(sent + 1, socket.MSG_WAITALL) == (message * (sent // MIB + 1))[:sent].upper()


def test_it_sets_tcp_nodelay(connection: socket.socket, server: Server) -> None:
    """Its end of the connection, of which pidfd_getfd(2) gives a copy, has the option."""
    connection.sendall(b"a")
    assert connection.recv(1) == b"A"
    (pid,) = server.data_processes
    process, found = os.pidfd_open(pid), []
    sockets = [path for path in Path(f"/proc/{pid}/fd").iterdir() if os.readlink(path).startswith("socket:")]
    for path in sockets:
        copy = SYSTEM_CALL(PIDFD_GETFD, process, int(path.name), 0)
        if copy < 0:
            pytest.skip("this system does not allow pidfd_getfd(2)")
        with socket.socket(fileno=copy) as end, suppress(OSError):
            if end.getpeername() == connection.getsockname():
                found.append(end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    os.close(process)
    assert found == [1]
