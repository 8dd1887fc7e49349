"""What the server refuses and ends."""

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from exposition import balanced, scrape
from processes import BIN, ENVIRONMENT, Server
from waiting import until


def test_one_connection_too_many() -> None:
    """The limit holds over all workers together; what is refused is counted and logged, and a place can be reused."""
    with Server("--workers", "2", "--max-connections", "3") as server:
        connections = [server.connect() for _ in range(3)]
        for connection in connections:
            connection.sendall(b"a")
            assert connection.recv(1) == b"A"
        with server.connect() as refused:
            assert _end_of(refused) == b""
        assert server.event("connection.rejected")["reason"] == "max_connections"
        values = server.metrics()
        assert values['stentor_server_connections_rejected_total{reason="max_connections"}'] == 1
        assert values["stentor_server_connections_accepted_total"] == 3
        connections.pop().close()
        until(lambda: server.metrics()["stentor_server_connections_active"] == 2, "the place to be free")
        assert server.ask(b"again") == b"AGAIN"
        for connection in connections:
            connection.close()


def test_silent_connection_is_closed() -> None:
    """A connection that moves no byte is closed after the idle timeout; one that does is not."""
    with Server("--workers", "1", "--idle-timeout", "1s") as server:
        with server.connect() as silent, server.connect() as busy:

            def exchanged_until_closed() -> bool:
                busy.sendall(b"a")
                assert busy.recv(1) == b"A"
                return bool(server.find("connection.closed"))

            until(exchanged_until_closed, "the silent connection to be closed")
            assert silent.recv(1) == b""
        (closed,) = server.find("connection.closed", reason="idle_timeout")
        assert closed["received_bytes"] == 0
        assert server.metrics()['stentor_server_connections_closed_total{reason="idle_timeout"}'] == 1


def test_peer_that_never_reads_is_closed() -> None:
    """A peer that writes and never reads moves nothing in the end; what it was not given is counted as unsent."""
    with Server("--workers", "1", "--idle-timeout", "400ms") as server, server.connect() as deaf:
        deaf.setblocking(False)

        def refused_at_last() -> bool:
            try:
                deaf.send(bytes(1 << 16))
            except BlockingIOError:
                pass
            except ConnectionError:
                return True
            return False

        until(refused_at_last, "the connection to be cut")
        closed = server.event("connection.closed")
        assert closed["reason"] == "idle_timeout"
        values = server.metrics()
        assert values["stentor_server_unsent_bytes_total"] == closed["received_bytes"] - closed["sent_bytes"] > 0
        assert values["stentor_server_received_bytes_total"] == closed["received_bytes"]
        assert values["stentor_server_write_buffer_bytes"] == 0
        assert balanced(values)


def test_blocked_log_does_not_delay_the_data_path() -> None:
    """When nobody reads the log, exchanges go on; what is dropped is counted."""
    with _server_logging_to_pipe() as (address, admin, _):
        for _ in range(11_000):  # more lines than pipe and queue hold together
            _exchange(address)
        assert scrape(admin)["stentor_server_log_events_dropped_total"] > 0
        assert scrape(admin)["stentor_server_connections_accepted_total"] == 11_000


def test_closed_log_does_not_end_the_server() -> None:
    """When the reader of the log goes away, the server serves on and counts what is lost."""
    with _server_logging_to_pipe() as (address, admin, log):
        log.close()
        _exchange(address)
        until(lambda: scrape(admin)["stentor_server_log_events_dropped_total"], "a drop to be counted")
        _exchange(address)


@contextmanager
def _server_logging_to_pipe() -> Iterator[tuple[tuple[str, int], str, IO[bytes]]]:
    """Start a server; yield its address, its admin URL, and its log, read up to `server.ready`."""
    command = [f"{BIN}/stentor-server", "serve", "--port", "0", "--admin-port", "0", "--workers", "1"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        ready = json.loads(next(line for line in process.stdout if b"server.ready" in line))
        host, _, port = ready["addresses"][0].rpartition(":")
        try:
            yield (host, int(port)), ready["admin"], process.stdout
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()


def _exchange(address: tuple[str, int]) -> None:
    with socket.create_connection(address, 10) as connection:
        connection.sendall(b"a")
        assert connection.recv(1) == b"A"


def _end_of(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1)
    except ConnectionResetError:
        return b""
