"""The servers that are compared."""

import os
import socket
from pathlib import Path

import pytest

from bench import contender
from bench.contender import contenders, stentor
from bench.peer import Peer

MISSING_HEADER = ("-c", "echo 'x.c:1: fatal error: liburing.h: No such file' >&2; exit 1")


def test_stentor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers carry the data, each on a core of its own; the developer's environment has no effect."""
    monkeypatch.setenv("STENTOR_TRANSFORM", "nonsense")
    cores = sorted(os.sched_getaffinity(0))[:2]
    with stentor("quiet", "--log-level", "error", workers=2).running(cores, tmp_path) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(b"a")
            assert connection.recv(1) == b"A"
        assert [os.sched_getaffinity(pid) for pid in server.data_processes] == [{cores[0]}, {cores[-1]}]
        assert all(b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in server.data_processes)
    assert not any(Path(f"/proc/{pid}").exists() for pid in server.data_processes)


def test_peers_that_cannot_run_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a missing program, nor one that does not build, nor a server that fails ends the benchmarks."""
    peers = {
        Peer("go", "", "net.go", "no-such-program"): "no-such-program is not installed",
        Peer("node", "", "net.js", "false"): "did not become ready",
        Peer("io_uring", "", "io_uring.c", "sh", MISSING_HEADER): "does not build: liburing.h: No such file",
        Peer("epoll", "", "epoll.c", "sh", ("-c", "exit 4")): "does not build: exit code 4",
    }
    monkeypatch.setattr(contender, "PEERS", [*peers])
    ready, skipped = contenders(tmp_path)
    assert [one.name for one in ready] == ["stentor"]
    assert skipped == {peer.name: reason for peer, reason in peers.items()}
