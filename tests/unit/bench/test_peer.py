"""Building peers."""

import re
from pathlib import Path

import pytest

from bench.peer import PEERS, REFERENCE, SOURCES, Peer, UnavailableError


def test_every_source_is_a_peer() -> None:
    """No file is forgotten, and the reference comes first."""
    assert {peer.source for peer in PEERS} == {path.name for path in SOURCES.iterdir() if path.is_file()}
    assert PEERS[0].name == REFERENCE


def test_a_script_is_run_as_it_is(tmp_path: Path) -> None:
    """Nothing is built for it."""
    peer = Peer("name", "title", "net.js", "sh")
    assert peer.command(tmp_path)[1:] == (str(SOURCES / "net.js"),)
    assert list(tmp_path.iterdir()) == []


def test_a_program_is_built(tmp_path: Path) -> None:
    """Its command is what was built."""
    peer = Peer("name", "title", "net.js", "cp", ("{source}", "{binary}"))
    assert peer.command(tmp_path) == (str(tmp_path / "name"),)
    assert (tmp_path / "name").read_text() == (SOURCES / "net.js").read_text()


@pytest.mark.parametrize(
    ("program", "build", "reason"),
    [
        ("no-such-program", (), "no-such-program is not installed"),
        ("sh", ("-c", "echo 'x.c:1: fatal error: liburing.h: No such file' >&2; exit 1"), "liburing.h: No such file"),
        ("sh", ("-c", "echo one >&2; exit 1"), "does not build: one"),
        ("sh", ("-c", "exit 4"), "does not build: exit code 4"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, program: str, build: tuple[str, ...], reason: str) -> None:
    """The reason is short."""
    with pytest.raises(UnavailableError, match=re.escape(reason) + "$"):
        Peer("name", "title", "net.js", program, build).command(tmp_path)
