"""Who takes part."""

import socket
from pathlib import Path

import pytest

from bench import contender
from bench.contender import TITLES, Contender, contenders, stentor
from bench.peer import Peer


def test_stentor_has_everything_on() -> None:
    """Nothing is switched off for Stentor, and the limits allow what is measured."""
    assert stentor("quiet", "--log-level", "error", workers=2) == Contender(
        "quiet", arguments=("--workers", "2", "--max-connections", "19000", "--log-level", "error")
    )


def test_peers_that_cannot_run_are_skipped_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a missing program nor a server that fails ends the benchmarks."""
    peers = (Peer("go", "", "net.go", "no-such-program"), Peer("node", "", "net.js", "false"))
    monkeypatch.setattr(contender, "PEERS", peers)
    ready, skipped = contenders(tmp_path)
    assert [one.name for one in ready] == ["stentor"]
    assert skipped == {"go": "no-such-program is not installed", "node": "did not become ready"}


def test_only_the_wanted(tmp_path: Path) -> None:
    """With names only these take part."""
    ready, skipped = contenders(tmp_path, ["asyncio_streams"])
    assert ([one.name for one in ready], skipped) == (["asyncio_streams"], {})


def test_a_contender_runs(peer: Contender, tmp_path: Path) -> None:
    """It listens while it runs, and not after."""
    with peer.running((0,), tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"a")
        assert connection.recv(1) == b"A"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_everyone_has_a_title() -> None:
    """No two have the same."""
    assert len(set(TITLES.values())) == len(TITLES) == 10
