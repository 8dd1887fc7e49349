"""Connections that last, wait or rest too long, each seen at the socket, in the metric and in the log."""

import os
import socket
import ssl
import struct
import threading
from contextlib import ExitStack

import pytest

from certificates import Authority
from processes import Server, read_all, send_and_end
from waiting import until

NEVER = ("--workers", "1", "--idle-timeout", "0", "--write-timeout", "0", "--half-close-timeout", "0")
SMALL = 4096  # bytes of a peer's receive buffer


def deaf_connection(server: Server) -> socket.socket:
    """Return a connection whose peer has little room and reads nothing: it has written until the server waits."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    connection.settimeout(30)
    connection.connect(server.address)
    before = server.metrics()["stentor_server_read_pauses_total"]
    until(lambda: _wrote_until_paused(server, connection, before), "the server to wait for the reader")
    return connection


def test_idle() -> None:
    """Who moves no byte, before a first exchange or after one, is closed; who moves some is not (row 6)."""
    with Server(*NEVER, "--idle-timeout", "500ms") as server, ExitStack() as connections:
        silent, fallen_silent, busy = (connections.enter_context(server.connect()) for _ in range(3))
        assert _exchanged(fallen_silent)

        def others_are_closed() -> bool:
            assert _exchanged(busy)
            return len(server.find("connection.closed")) == 2

        until(others_are_closed, "the others to be closed")
        assert _exchanged(busy)
        # In which order depends on the workers that they are with.
        assert sorted(each["received_bytes"] for each in server.closed("idle_timeout", 2)) == [0, 1]
        assert (silent.recv(1), fallen_silent.recv(1)) == (b"", b"")


def test_write() -> None:
    """Who reads nothing is cut when the answers have waited long enough; what it was not given is unsent (row 15)."""
    with Server(*NEVER, "--write-timeout", "500ms") as server:
        with deaf_connection(server) as deaf, server.connect() as quiet:
            assert _exchanged(quiet)
            (closed,) = server.closed("write_timeout")
            with pytest.raises(ConnectionResetError):
                read_all(deaf)
            assert _exchanged(quiet)  # for which nothing waits: it may rest
        values = server.quiet()
        assert values["stentor_server_unsent_bytes_total"] == closed["received_bytes"] - closed["sent_bytes"] > 0
        assert values["stentor_server_write_buffer_bytes"] == 0


def test_slow_reader_is_not_cut() -> None:
    """Who reads slowly, but reads, is given all the time it takes, several times the write timeout (row 7)."""
    data = os.urandom(4 << 20)
    with Server(*NEVER, "--write-timeout", "1s") as server, socket.socket() as slow:
        # A peer's kernel tells of what was read only when there is room again for a good part of its buffer.
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        slow.connect(server.address)
        writer = threading.Thread(target=send_and_end, args=(slow, data))
        writer.start()
        until(lambda: server.metrics()["stentor_server_read_pauses_total"], "the server to wait for the reader")
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
    """Who ends its side and never reads is cut by the shorter of two timeouts (row 12)."""
    options = {"half_close_timeout": "--half-close-timeout", "write_timeout": "--write-timeout"}
    with Server(*NEVER, options[reason], "500ms") as server:
        with deaf_connection(server) as deaf:
            deaf.shutdown(socket.SHUT_WR)
            (closed,) = server.closed(reason)
            with pytest.raises(ConnectionResetError):
                read_all(deaf)
        assert (
            server.quiet()["stentor_server_unsent_bytes_total"] == closed["received_bytes"] - closed["sent_bytes"] > 0
        )


def test_half_close_is_given_its_time_once() -> None:
    """Who reads after its half-close, but too slowly, is cut in the end: one time is all it has (row 12)."""
    with Server(*NEVER, "--half-close-timeout", "1s") as server:
        with deaf_connection(server) as slow:
            slow.shutdown(socket.SHUT_WR)

            def cut() -> bool:
                try:
                    return not slow.recv(512)
                except ConnectionResetError:
                    return True

            until(cut, "the connection to be cut")
        (closed,) = server.closed("half_close_timeout")
        assert closed["duration_seconds"] > 1
        server.quiet()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_max_age(authority: Authority, *, secure: bool) -> None:
    """A connection that is old enough gets an orderly end, after the answer to all that came before (row 7)."""
    tls = ("--tls-cert", authority.issue("server")) if secure else ()
    with Server(*NEVER, "--max-age", "500ms", *tls) as server:
        with server.connect() as plain:
            connection = authority.trust().wrap_socket(plain, server_hostname="127.0.0.1") if secure else plain
            answers = b""
            while answer := _answer(connection, b"x"):
                answers += answer
            assert set(answers) == {ord("X")}
            if isinstance(connection, ssl.SSLSocket):
                connection.unwrap()  # raises if the server's end was not one of TLS
            connection.close()
        (closed,) = server.closed("max_age")
        assert closed["sent_bytes"] == len(answers)
        assert 0.5 < closed["duration_seconds"] < 5
        assert "error" not in closed
        server.quiet()


def test_max_age_of_who_stays() -> None:
    """Who does not answer the orderly end with its own is closed all the same, soon, and for the same reason."""
    with Server(*NEVER, "--max-age", "500ms") as server:
        with server.connect() as connection:
            assert connection.recv(1) == b""
            server.closed("max_age")
        server.quiet()


def test_max_age_of_who_reads_nothing() -> None:
    """An orderly end waits for the reader no longer than the write timeout lets it (row 15)."""
    with Server(*NEVER, "--max-age", "500ms", "--write-timeout", "500ms") as server:
        with deaf_connection(server):
            server.event("connection.closed")
        values = server.quiet()
        ended = ("max_age", "write_timeout")
        assert sum(values[f'stentor_server_connections_closed_total{{reason="{each}"}}'] for each in ended) == 1


def test_reset_while_reading_is_paused() -> None:
    """A reset is seen at once though nothing is read, without any timeout, and nothing stays behind (row 14)."""
    with Server(*NEVER) as server:
        deaf = deaf_connection(server)
        assert server.metrics()["stentor_server_write_buffer_bytes"] > 0
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        deaf.close()
        (closed,) = server.closed("reset")
        values = server.quiet()
        assert values["stentor_server_unsent_bytes_total"] == closed["received_bytes"] - closed["sent_bytes"] > 0
        assert values["stentor_server_write_buffer_bytes"] == 0


def _wrote_until_paused(server: Server, connection: socket.socket, before: float) -> bool:
    connection.sendall(bytes(16 << 10))
    return server.metrics()["stentor_server_read_pauses_total"] > before


def _exchanged(connection: socket.socket) -> bool:
    return _answer(connection, b"a") == b"A"


def _answer(connection: socket.socket, data: bytes) -> bytes:
    """Return the answer, or nothing when the server has ended its side."""
    try:
        connection.sendall(data)
        return connection.recv(len(data))
    except (BrokenPipeError, ssl.SSLEOFError):
        return b""


@pytest.mark.parametrize("option", ["--idle-timeout", "--max-age", ""])
def test_clean_end_over_tls(authority: Authority, option: str) -> None:
    """Whoever asks for it can tell the server's end, by a time-out or a drain, from a connection that was cut."""
    options = (option, "300ms") if option else ()
    with Server(*NEVER, *options, "--tls-cert", authority.issue("server")) as server, server.connect() as connection:
        tls = authority.trust().wrap_socket(connection, server_hostname="127.0.0.1", suppress_ragged_eofs=False)
        with tls:
            tls.sendall(b"a")
            assert tls.recv(1) == b"A"
            if not option:
                server.process.terminate()
            assert tls.recv(1) == b""
        server.event("connection.closed", reason=option.strip("-").replace("-", "_") or "drain")
