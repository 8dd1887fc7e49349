"""What comes back from the server."""

import os
import socket
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connections import exchanged, read_all, send_and_end
from processes import Server

EVERY_BYTE = bytes(range(256))


def test_only_a_to_z_change(shared_server: Server) -> None:
    """Every byte value comes back as `bytes.upper()` has it, whatever it means in some encoding or protocol."""
    for data in (
        EVERY_BYTE,
        "straße, ÿ, ﬁ".encode(),
        b"\xff\xfe\xc3\x28a",
        b"\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03random",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 5 6\r\n",
    ):
        assert shared_server.ask(data) == data.upper()


@pytest.mark.parametrize("size", [0, 65_535, 65_536, 65_537, 256_001, 262_143, 262_144, 262_145, 16 << 20])
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
        assert all(exchanged(connection, bytes([value])) for value in EVERY_BYTE)


def test_slow_reader_gets_everything(server: Server) -> None:
    """A peer that reads late gets the whole reply after its half-close; meanwhile the server stops reading from it."""
    data = os.urandom(20 << 20)
    with server.connect() as connection:
        writer = threading.Thread(target=send_and_end, args=(connection, data))
        writer.start()
        server.reaches("stentor_server_read_pauses_total")
        assert read_all(connection) == data.upper()
        writer.join()
    values = server.quiet()
    assert values["stentor_server_sent_bytes_total"] == len(data)
    assert values["stentor_server_write_buffer_bytes"] == 0


def test_urgent_byte_is_no_data(shared_server: Server) -> None:
    """An out-of-band byte is not part of the stream (tcp(7)) and harms nothing."""
    with shared_server.connect() as connection:
        assert exchanged(connection, b"before")
        connection.send(b"!", socket.MSG_OOB)
        assert exchanged(connection, b"after")


def test_echo() -> None:
    """With `--transform echo` bytes come back as they are."""
    with Server("--transform", "echo", "--workers", "1") as server:
        assert server.ask(EVERY_BYTE) == EVERY_BYTE
