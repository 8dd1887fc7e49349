"""`send` on the command line."""

import os

import pytest

from lying import Behaviour, LyingServer, flip, stay_silent
from processes import run
from unit.client.probing import honest


def test_send_text() -> None:
    """Text on the command line is sent as one line, as the bytes that it is, even if they are not UTF-8."""
    with LyingServer(honest) as server:
        ended = run("stentor-client", "send", "--target", server.target, "hello", os.fsdecode(b"\xff\xe9t\xe9"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"HELLO \xff\xe9T\xe9\n", b"")


@pytest.mark.parametrize(
    ("behaviour", "timeout", "code", "word"), [(flip, "10s", 5, "mismatch"), (stay_silent, "200ms", 4, "timeout")]
)
def test_send_fails(behaviour: Behaviour, timeout: str, code: int, word: str) -> None:
    """A failure ends with its code and one line on standard error that begins with the outcome."""
    with LyingServer(behaviour) as server:
        ended = run("stentor-client", "send", "--target", server.target, "--timeout", timeout, "hello")
    assert code == ended.returncode
    assert ended.stderr.count(b"\n") == 1
    assert ended.stderr.startswith(f"stentor-client: {word}: {server.target}: ".encode())
