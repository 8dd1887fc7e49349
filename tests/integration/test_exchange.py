"""What comes back from the server."""

import os
import socket
import struct
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processes import Server, read_all, send_and_end
from waiting import until

EVERY_BYTE = bytes(range(256))


def test_only_a_to_z_change(shared_server: Server) -> None:
    """Every byte value comes back as `bytes.upper()` has it, whatever it means in some encoding."""
    for data in (EVERY_BYTE, b"\x00" * 999, "straße, ÿ, ﬁ".encode(), b"\xff\xfe\xc3\x28a"):
        assert shared_server.ask(data) == data.upper()


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 255_999, 256_001, 262_143, 262_144, 262_145, 16 << 20])
def test_sizes_around_buffers(shared_server: Server, size: int) -> None:
    """Sizes around those of buffers come back exact."""
    data = os.urandom(size)
    assert shared_server.ask(data) == data.upper()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(min_size=1, max_size=2_000), max_size=12))
def test_any_bytes_in_any_segmentation(shared_server: Server, segments: list[bytes]) -> None:
    """Any bytes, sent in any pieces, come back as their upper case."""
    with shared_server.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in segments:
            connection.sendall(segment)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b"".join(segments).upper()


def test_one_byte_at_a_time(shared_server: Server) -> None:
    """A message in segments of one byte, each answered before the next is sent."""
    with shared_server.connect() as connection:
        for value in EVERY_BYTE:
            connection.sendall(bytes([value]))
            assert connection.recv(16) == bytes([value]).upper()


def test_slow_reader_gets_everything(server: Server) -> None:
    """A peer that reads late gets the whole reply after its half-close; meanwhile the server stops reading from it."""
    data = os.urandom(20 << 20)
    with server.connect() as connection:
        writer = threading.Thread(target=send_and_end, args=(connection, data))
        writer.start()
        until(lambda: server.metrics()["stentor_server_read_pauses_total"], "the server to pause reading")
        assert read_all(connection) == data.upper()
        writer.join()
    values = server.quiet()
    assert values["stentor_server_sent_bytes_total"] == len(data)
    assert values["stentor_server_write_buffer_bytes"] == 0


def test_slow_readers_never_see_each_others_bytes(shared_server: Server) -> None:
    """Partial writes of many connections at once, with small send buffers, mix no bytes up."""
    connections, sent = [], []
    for number in range(16):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(shared_server.address)
        connections.append(connection)
        sent.append(bytes([ord("a") + number]) * (3 << 20))
    writers = [threading.Thread(target=send_and_end, args=pair) for pair in zip(connections, sent, strict=True)]
    for writer in writers:
        writer.start()
    replies: dict[int, bytes] = {}

    def read(number: int) -> None:
        replies[number] = read_all(connections[number])

    readers = [threading.Thread(target=read, args=(number,)) for number in range(len(connections))]
    for reader in readers:
        reader.start()
    for thread in (*writers, *readers):
        thread.join()
    for connection in connections:
        connection.close()
    assert [replies[number] == data.upper() for number, data in enumerate(sent)] == [True] * 16


def test_resets_are_counted_and_leave_nothing(server: Server) -> None:
    """A storm of resets is counted as such, without an error in the log, and others are served on."""
    for _ in range(200):
        connection = server.connect()
        connection.sendall(b"abc")
        connection.recv(3)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert server.ask(b"still here") == b"STILL HERE"
    values = server.quiet()
    assert values['stentor_server_connections_closed_total{reason="reset"}'] == 200
    assert values["stentor_server_received_bytes_total"] == 200 * 3 + len("still here")
    assert [event for event in server.events if event["level"] == "error"] == []


def test_foreign_protocols_are_bytes(shared_server: Server) -> None:
    """A TLS hello, an HTTP request and a PROXY header are upper-cased like any bytes."""
    for data in (
        b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03random",
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n",
    ):
        assert shared_server.ask(data) == data.upper()


def test_urgent_byte_is_no_data(shared_server: Server) -> None:
    """An out-of-band byte is not part of the stream (tcp(7)) and harms nothing."""
    with shared_server.connect() as connection:
        connection.sendall(b"before")
        assert connection.recv(16) == b"BEFORE"
        connection.send(b"!", socket.MSG_OOB)
        connection.sendall(b"after")
        assert connection.recv(16) == b"AFTER"


def test_echo() -> None:
    """With `--transform echo` bytes come back as they are."""
    with Server("--transform", "echo", "--workers", "1") as server:
        assert server.ask(EVERY_BYTE) == EVERY_BYTE
