"""`probe` on the command line."""

import socket

import pytest

from lying import Behaviour, LyingServer, flip
from processes import run


def honest(connection: socket.socket) -> None:
    """Answer in upper case until the client ends."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


def _refusing() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("behaviour", "code"), [(honest, 0), (None, 3), (flip, 5)], ids=["well", "refused", "wrong"])
def test_probe_that_ends(behaviour: Behaviour | None, code: int) -> None:
    """A probe ends when its count is reached, with the code of its worst outcome, and writes nothing but its log."""
    with LyingServer(behaviour or honest) as server:
        target = server.target if behaviour else _refusing()
        ended = run("stentor-client", "probe", "--target", target, *_quick("2"))
    assert (code, b"") == (ended.returncode, ended.stdout)
    assert b'"exchanges":2' in ended.stderr


def _quick(count: str) -> list[str]:
    return ["--count", count, "--rate", "100", "--sizes", "64", "--admin-port", "0", "--log-format", "json"]
