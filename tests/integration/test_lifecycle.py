"""How the server starts, keeps going and ends."""

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from exposition import balanced, scrape
from processes import BIN, ENVIRONMENT, Server, fill, read_all, run, running, send_and_end
from waiting import until


def test_idle_server_stops_cleanly(server: Server) -> None:
    """SIGTERM ends an idle server with exit code 0 and a word about it."""
    assert server.stop() == 0
    assert [event["event"] for event in server.events][-1] == "server.stopped"


def test_interrupted_server_says_so(server: Server) -> None:
    """SIGINT drains as SIGTERM does, and gives the exit code 130."""
    assert server.stop(signal.SIGINT) == 130
    assert server.find("server.stopped")


def test_stop_answers_what_was_accepted(server: Server) -> None:
    """A peer in mid-stream when the server is told to stop gets the whole answer and an orderly end."""
    data = os.urandom(8 << 20)
    with server.connect() as connection:
        writer = threading.Thread(target=lambda: connection.sendall(data))
        writer.start()
        until(lambda: server.metrics()["stentor_server_received_bytes_total"], "the first bytes to arrive")
        server.process.send_signal(signal.SIGTERM)
        reply = read_all(connection)
        writer.join()
    assert server.process.wait(30) == 0
    assert reply == data.upper()


def test_quiet_connection_gets_an_orderly_end(server: Server) -> None:
    """A connection between exchanges gets a FIN, not a reset, and is booked as drained."""
    with server.connect() as connection:
        connection.sendall(b"a")
        assert connection.recv(9) == b"A"
        server.process.send_signal(signal.SIGTERM)
        assert connection.recv(9) == b""
    assert server.process.wait(30) == 0
    assert server.event("connection.closed")["reason"] == "drain"


def test_deaf_peer_cannot_hold_the_server() -> None:
    """A peer that writes and never reads holds a stop no longer than the drain timeout."""
    with Server("--workers", "1", "--drain-timeout", "300ms") as server, server.connect() as connection:
        connection.setblocking(False)
        fill(connection)
        assert server.stop() == 0
        closed = server.event("connection.closed")
        assert closed["reason"] == "drain"
        assert closed["received_bytes"] > closed["sent_bytes"]


def test_draining_server_is_not_ready() -> None:
    """While a server drains it refuses new connections and `/readyz` says 503, yet it is alive."""
    with Server("--workers", "1", "--drain-timeout", "5s") as server, server.connect() as connection:
        connection.setblocking(False)
        fill(connection)
        assert server.get("/readyz") == (200, "ready\n")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.get("/readyz")[0] == 503, "readiness to go")
        assert server.get("/healthz") == (200, "ok\n")
        until(lambda: _refuses(server), "new connections to be refused")  # by the worker, which is told last


def test_second_signal_ends_at_once() -> None:
    """A second SIGTERM does not wait for anybody."""
    with Server("--workers", "1", "--drain-timeout", "10m") as server, server.connect() as connection:
        connection.setblocking(False)
        fill(connection)
        server.process.send_signal(signal.SIGTERM)
        server.event("server.draining")
        assert server.stop() == 128 + signal.SIGTERM


def test_killed_worker_is_replaced(server: Server) -> None:
    """A killed worker is replaced, its connections are booked as lost, and the other worker's are left in peace."""
    connections = [server.connect() for _ in range(12)]
    for connection in connections:
        connection.sendall(b"x")
        assert connection.recv(1) == b"X"
    lost = int(server.metrics()['stentor_server_worker_connections_active{worker="0"}'])
    pids = server.worker_pids()
    os.kill(pids[0], signal.SIGKILL)
    server.event("worker.started", 2, worker=0)
    values = server.metrics()
    assert balanced(values)
    assert values['stentor_server_connections_closed_total{reason="worker_lost"}'] == lost
    assert values["stentor_server_connections_active"] == len(connections) - lost
    assert values['stentor_server_worker_restarts_total{reason="signal"}'] == 1
    assert values["stentor_server_received_bytes_total"] == len(connections)
    assert server.worker_pids()[1] == pids[1]
    assert sum(_alive(connection) for connection in connections) == len(connections) - lost
    for connection in connections:
        connection.close()


def test_queued_connections_outlive_their_worker() -> None:
    """Connections that wait in the queue of a stopped worker are served by its successor."""
    with Server("--workers", "1") as server:
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        with server.connect() as connection:
            connection.sendall(b"patience")
            os.kill(pid, signal.SIGKILL)
            assert connection.recv(16) == b"PATIENCE"


def test_frozen_worker_is_replaced() -> None:
    """A worker whose heart stands still is killed and replaced."""
    with Server("--workers", "1") as server:
        os.kill(server.worker_pids()[0], signal.SIGSTOP)
        server.event("worker.hung")
        server.event("worker.started", 2)
        assert server.metrics()['stentor_server_worker_restarts_total{reason="heartbeat"}'] == 1
        assert server.ask(b"again") == b"AGAIN"


def test_workers_end_with_their_control_process(server: Server) -> None:
    """When the control process is killed, the workers notice and exit: no orphan keeps the port."""
    pids = server.worker_pids()
    server.process.kill()
    until(lambda: not any(running(pid) for pid in pids), "the workers to exit")
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_closed_output_does_not_reach_the_counters() -> None:
    """With standard output closed the server serves, and its log goes nowhere, least of all into its metrics."""
    with socket.socket() as one, socket.socket() as two:
        for free in (one, two):
            free.bind(("127.0.0.1", 0))
        port, admin = one.getsockname()[1], two.getsockname()[1]
    command = f"exec {BIN}/stentor-server serve --port {port} --admin-port {admin} --workers 1 >&-"
    with subprocess.Popen(["bash", "-c", command], env=ENVIRONMENT) as process:
        try:
            for _ in range(3):
                connection = until(lambda: socket.create_connection(("127.0.0.1", port), 10), "the server to listen")
                with connection:
                    send_and_end(connection, b"abc")
                    assert read_all(connection) == b"ABC"
            dropped = "stentor_server_log_events_dropped_total"  # counted by the thread that writes the log
            # Three of the worker, and two of the control process: server.ready and worker.started.
            until(lambda: scrape(f"http://127.0.0.1:{admin}")[dropped] == 5, "the lines to be dropped")
            values = scrape(f"http://127.0.0.1:{admin}")
            assert values["stentor_server_connections_accepted_total"] == 3
            assert values["stentor_server_received_bytes_total"] == 9
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_interrupt_of_the_whole_group_while_it_starts() -> None:
    """Ctrl-C on a terminal goes to every process of the group; at no moment of the start does one answer by itself."""
    for events in range(3):
        command = [f"{BIN}/stentor-server", "serve", "--port", "0", "--admin-port", "0", "--workers", "2"]
        with subprocess.Popen(
            command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            for _ in range(events):
                process.stdout.readline()
            if not events:
                until(lambda: os.path.exists(f"/proc/{process.pid}/task") and _children(process.pid), "a worker")
            os.killpg(process.pid, signal.SIGINT)
            process.stdout.read()
            assert "Traceback" not in process.stderr.read()
        assert process.returncode == 130


def test_garbage_for_the_admin_endpoint_is_one_event() -> None:
    """Garbage on the admin port gets an answer, and at most a line in the log that is an event like any other."""
    with Server("--workers", "1") as server:
        host, _, port = server.admin.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), 10) as connection:
            connection.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.")
        assert server.get("/readyz") == (200, "ready\n")
        assert server.stop() == 0


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket is served as well, its file goes with the server, and one that nobody answers is replaced."""
    path = tmp_path / "stentor.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with Server("--unix", str(path)) as server:
        for _ in range(4):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(b"unix")
                connection.shutdown(socket.SHUT_WR)
                assert read_all(connection) == b"UNIX"
        assert server.event("connection.closed")["peer"] == "unix"
        server.process.send_signal(signal.SIGHUP)
        server.event("worker.exited", 2)
        assert path.exists()
        second = run("stentor-server", "serve", "--port", "0", "--admin-port", "0", "--unix", str(path))
        assert second.returncode == 3
        assert b"Address already in use" in second.stderr
        assert path.exists()
        assert server.stop() == 0
    assert not path.exists()


def test_port_in_use(server: Server) -> None:
    """A port in use, of the exchange or of the admin endpoint, is one line and exit code 3."""
    port, admin_port = str(server.address[1]), server.admin.rpartition(":")[2]
    for options in (["--port", port, "--admin-port", "0"], ["--port", "0", "--admin-port", admin_port]):
        second = run("stentor-server", "serve", *options)
        assert second.returncode == 3
        assert second.stderr.count(b"\n") == 1
        assert b"Address already in use" in second.stderr
    assert server.ask(b"mine") == b"MINE"


def test_terminated_while_it_starts() -> None:
    """SIGTERM at any moment of the start leaves no process behind."""
    for events in range(3):
        command = [f"{BIN}/stentor-server", "serve", "--port", "0", "--admin-port", "0", "--workers", "2"]
        with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            started = [process.stdout.readline() for _ in range(events)]
            process.terminate()
            rest = process.stdout.read()  # ends when the last process that could write has gone
        assert process.returncode in {0, -signal.SIGTERM}, (started, rest)


def _children(pid: int) -> str:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return children.read()


def _alive(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"y")
        return connection.recv(1) == b"Y"
    except OSError:
        return False


def _refuses(server: Server) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False
