"""A server under measurement."""

import os
import sys
from pathlib import Path

import pytest

from bench import server as servers
from bench.contender import Contender, stentor
from bench.server import ServerFailedError, running_peer, running_stentor


def test_a_peer(peer: Contender, tmp_path: Path) -> None:
    """Its one process is the one that works, on the core it was given."""
    core = min(os.sched_getaffinity(0))
    with running_peer(peer.command, [core], tmp_path / "log") as server:
        assert len(server.working) == 1
        assert os.sched_getaffinity(server.working[0]) == {core}
        assert server.cpu_seconds() > 0
        assert server.anonymous_bytes() > 1_000_000
        assert server.open_descriptors() > 3


def test_stentor(tmp_path: Path) -> None:
    """Its workers are what works, each on a core of its own, and it is ready."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with running_stentor(stentor(workers=2).arguments, cores, tmp_path / "log") as server:
        assert [os.sched_getaffinity(pid) for pid in server.working] == [{cores[0]}, {cores[-1]}]
        assert server.admin_port is not None
        assert b"stentor_server.worker" in Path(f"/proc/{server.working[0]}/cmdline").read_bytes()
    assert not Path(f"/proc/{server.working[0]}").exists()


def test_stentor_is_not_told_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer has set is no part of the measurement."""
    monkeypatch.setenv("STENTOR_TRANSFORM", "nonsense")
    with running_stentor(stentor().arguments, [0], tmp_path / "log") as server:
        assert len(server.working) == 1


def test_one_that_refuses(tmp_path: Path) -> None:
    """Its last line says why."""
    with (
        pytest.raises(ServerFailedError, match="--workers"),
        running_stentor(["--workers", "none"], [0], tmp_path / "log"),
    ):
        pass


def test_one_that_never_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for it ends, and it is ended."""
    monkeypatch.setattr(servers, "READY_SECONDS", 0.1)
    command = (sys.executable, "-c", "import signal; signal.pause()")
    with (
        pytest.raises(ServerFailedError, match="did not become ready"),
        running_peer(command, [0], tmp_path / "log"),
    ):
        pass
