"""Connections that last, wait or rest too long, each seen at the socket, in the metric and in the log."""

import os
import socket
import threading
from contextlib import ExitStack

import pytest

from connections import exchanged, read_all, send_and_end
from processes import Server
from waiting import until

NEVER = dict.fromkeys(("STENTOR_IDLE_TIMEOUT", "STENTOR_WRITE_TIMEOUT", "STENTOR_HALF_CLOSE_TIMEOUT"), "0")


def _server(*options: str) -> Server:
    """Return a server without any time-out except for those of its options."""
    return Server("--workers", "1", *options, environment=NEVER)


def test_idle() -> None:
    """A connection that moves no byte, before a first exchange or after one, is closed; a busy one is not."""
    with _server("--idle-timeout", "2s") as server, ExitStack() as stack:
        silent, fallen_silent, busy = (stack.enter_context(server.connect()) for _ in range(3))
        assert exchanged(fallen_silent)

        def others_are_closed() -> bool:
            if not exchanged(busy):
                pytest.fail("the busy connection was closed")
            return len(server.find("connection.closed")) == 2

        until(others_are_closed, "the others to be closed")
        # In which order depends on the workers that they are with.
        assert sorted(each["received_bytes"] for each in server.closed("idle_timeout", 2)) == [0, 1]
        assert (silent.recv(1), fallen_silent.recv(1)) == (b"", b"")


def test_slow_reader_is_not_cut() -> None:
    """A peer that reads slowly, but reads, has all the time it needs, several times the write timeout."""
    data = os.urandom(4 << 20)
    with _server("--write-timeout", "1s") as server, socket.socket() as slow:
        # A peer's kernel reports what was read only when there is room again for a good part of its buffer.
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        slow.connect(server.address)
        writer = threading.Thread(target=send_and_end, args=(slow, data))
        writer.start()
        server.reaches("stentor_server_read_pauses_total")
        answer = b""
        for _ in range(60):  # over 3 s in all; the slow pace is what is tested
            answer += slow.recv(16 << 10)
            threading.Event().wait(0.05)
        assert server.find("connection.closed") == []
        answer += read_all(slow)
        writer.join()
        assert answer == data.upper()
        (closed,) = server.closed("eof")
        assert closed["duration_seconds"] > 3


@pytest.mark.parametrize("reason", ["half_close_timeout", "write_timeout"])
def test_half_close(reason: str) -> None:
    """A peer that ends its side and never reads is cut by the shorter of two timeouts."""
    with _server(f"--{reason.replace('_', '-')}", "2s") as server:
        with server.deaf() as deaf:
            deaf.shutdown(socket.SHUT_WR)
            (closed,) = server.closed(reason)
            with pytest.raises(ConnectionResetError):
                read_all(deaf)
        values = server.quiet()
        unsent = closed["received_bytes"] - closed["sent_bytes"]
        assert values["stentor_server_unsent_bytes_total"] == unsent > 0
        assert values["stentor_server_write_buffer_bytes"] == 0
