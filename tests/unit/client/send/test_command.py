"""`send` on the command line."""

import os
import pty
import select
import subprocess
import termios

import pytest

from lying import Behaviour, LyingServer, flip, stay_silent
from processes import BIN, ENVIRONMENT, run
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


def test_conversation() -> None:
    """On a terminal each line is answered as it is typed, until the person ends it."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    shown = bytearray()

    def until_shown(what: bytes) -> None:
        while what not in shown:
            assert select.select([ours], [], [], 20)[0], f"{what!r} is not shown, but {bytes(shown)!r}"
            shown.extend(os.read(ours, 4096))
        del shown[: shown.index(what) + len(what)]

    with LyingServer(honest) as server:
        child = subprocess.Popen(
            [f"{BIN}/stentor-client", "send", "--target", server.target],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=ENVIRONMENT | {"TERM": "dumb"},
            start_new_session=True,
        )
        os.close(theirs)
        try:
            until_shown(f"Connected to {server.target}".encode())
            until_shown(b"> ")
            for line in (b"hello", "grüße".encode()):
                os.write(ours, line + b"\n")
                until_shown(line.upper())
                until_shown(b"> ")
            os.write(ours, b"\x04")  # Ctrl-D
            assert child.wait(20) == 0
        finally:
            child.kill()
            child.wait()
            os.close(ours)
