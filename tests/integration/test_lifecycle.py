"""How the server starts, keeps going and ends."""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from bench.process import children
from connections import answer_to, exchanged, read_all, reserved
from exposition import balanced, scrape
from processes import BIN, ENVIRONMENT, FREE, Server, running
from waiting import SECONDS, until

SERVE = ("stentor-server", "serve", *FREE, "--log-format", "json")
# Answers pidfd_open with an error, and then runs a command: see seccomp(2).
SANDBOX = """
import ctypes, os, struct, sys
number, command = int(sys.argv[1]), sys.argv[2:]
load, equal, answer, allow = (0x20, 0, 0, 0), (0x15, 0, 1, 434), (6, 0, 0, 0x50000 | number), (6, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in (load, equal, answer, allow)))
prctl = ctypes.CDLL(None).prctl
assert not prctl(38, 1, 0, 0, 0) and not prctl(22, 2, struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
os.execv(command[0], command)
"""
DROPPED = "stentor_server_log_events_dropped_total"


def test_stop_answers_what_was_accepted(server: Server) -> None:
    """A peer in mid-stream gets the whole answer and an orderly end when the server stops."""
    data = os.urandom(8 << 20)
    with server.connect() as connection:
        writer = threading.Thread(target=connection.sendall, args=(data,))
        writer.start()
        server.reaches("stentor_server_received_bytes_total")
        server.process.send_signal(signal.SIGTERM)
        reply = read_all(connection)
        writer.join()
    assert server.end() == 0
    assert reply == data.upper()


@pytest.mark.parametrize("delay", ["0", "1ms", "10m"])
def test_draining_server_is_not_ready(delay: str) -> None:
    """A draining server refuses new connections and is not ready, yet alive; a second signal ends it at once.

    With a shutdown delay it first goes on as before without being ready, until the delay is over or a further signal.
    """
    options = ("--workers", "1", "--drain-timeout", "10m", "--shutdown-delay", delay)
    with Server(*options) as server, server.deaf():
        assert server.get("/readyz") == (200, "ready\n")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: server.get("/readyz")[0] == 503, "readiness to go")
        assert server.get("/healthz") == (200, "ok\n")
        if delay == "10m":
            assert server.ask(b"still") == b"STILL"
            server.process.send_signal(signal.SIGHUP)
            server.event("reload.completed")
            assert server.ask(b"still") == b"STILL"
            assert server.find("server.draining") == []
            server.process.send_signal(signal.SIGTERM)
        server.event("server.draining")
        assert len(server.find("drain.delayed")) == (delay != "0")
        until(lambda: _refuses(server), "new connections to be refused")  # by the worker, which learns it last
        assert server.stop() == 128 + signal.SIGTERM


def test_killed_worker_is_replaced(server: Server) -> None:
    """A killed worker is replaced, its connections are booked as lost, and the other worker's are left in peace."""
    with ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(12)]
        assert all(exchanged(connection) for connection in connections)
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
        assert sum(exchanged(connection) for connection in connections) == len(connections) - lost


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_sandbox_that_forbids_a_call(number: int) -> None:
    """A sandbox that forbids a call that every worker needs ends the start with one line that names the call."""
    sandboxed = subprocess.run(
        [sys.executable, "-c", SANDBOX, str(number), f"{BIN}/stentor-server", *SERVE[1:]],
        env=ENVIRONMENT,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert (sandboxed.returncode, sandboxed.stdout, sandboxed.stderr.count(b"\n")) == (3, b"", 1)
    assert b"the kernel refuses pidfd_open" in sandboxed.stderr


def test_queued_connections_outlive_their_worker() -> None:
    """Connections that wait in the queue of a stopped worker are served by its successor."""
    with Server("--workers", "1") as server:
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        with server.connect() as connection:
            connection.sendall(b"patience")
            os.kill(pid, signal.SIGKILL)
            assert connection.recv(16) == b"PATIENCE"


def test_closed_output_does_not_reach_the_counters(tmp_path: Path) -> None:
    """With standard output closed the server serves, and its log goes nowhere, least of all into its metrics."""
    path = tmp_path / "stentor.sock"
    bound = reserved()
    port = bound.getsockname()[1]
    command = f"exec {BIN}/stentor-server serve --port 0 --unix {path} --admin-port {port} --workers 1 >&-"
    with bound, subprocess.Popen(["bash", "-c", command], env=ENVIRONMENT) as process:
        try:
            until(path.exists, "the server to listen")
            for _ in range(3):
                with socket.socket(socket.AF_UNIX) as connection:
                    until(lambda c=connection: c.connect(str(path)) is None, "the server to listen")  # type: ignore[misc]
                    assert answer_to(connection, b"abc") == b"ABC"
            # Three of the worker, and two of the control process: server.ready and worker.started.
            admin = f"http://127.0.0.1:{port}"
            until(lambda: scrape(admin)[DROPPED] == 5, "the lines to be dropped")
            values = scrape(admin)
            assert values["stentor_server_connections_accepted_total"] == 3
            assert values["stentor_server_received_bytes_total"] == 9
        finally:
            process.terminate()
        assert process.wait(SECONDS) == 0


def test_signals_while_it_starts() -> None:
    """At no moment of the start does SIGTERM leave a process behind, or Ctrl-C, which goes to all, a traceback."""
    for number in (signal.SIGTERM, signal.SIGINT):
        for events in range(3):
            with running(*SERVE, "--workers", "2", process_group=0) as process:
                assert process.stdout is not None
                for _ in range(events):
                    process.stdout.readline()
                if not events:
                    until(lambda pid=process.pid: children(pid), "a worker")  # type: ignore[misc]
                (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
                _, errors = process.communicate(timeout=SECONDS)  # ends when the last process that could write has gone
            assert b"Traceback" not in errors
            assert process.returncode in ({130} if number == signal.SIGINT else {0, -signal.SIGTERM})


def _refuses(server: Server) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False
