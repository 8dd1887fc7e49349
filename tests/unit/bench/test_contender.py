"""The servers that are compared."""

import os
import socket
from pathlib import Path

import pytest

from bench.contender import stentor


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
