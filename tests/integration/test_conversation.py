"""`stentor-client send` on a terminal, as a person uses it."""

import socket
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

import lying
from processes import Server
from terminal import Terminal
from waiting import SECONDS


@pytest.fixture
def home(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which nothing is remembered yet."""
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


def _send(*options: str) -> tuple[str, ...]:
    return ("stentor-client", "send", *options)


def test_lines(shared_server: Server, home: Mapping[str, str], tmp_path: Path) -> None:
    """Each reply stands below its line, character below character, with its time; Ctrl-D ends well.

    A line typed in one run is there in the next, by the key for it; nobody else can read the file.
    """
    for lines in (("hello", "HELLO"), ("", ""), ("grüße, 1a", "GRüßE, 1A")), (("", "GRüßE, 1A"),):
        with Terminal(*_send("--target", shared_server.target), environment=home) as terminal:
            assert shared_server.target in terminal.until("> ")
            for line, reply in lines:
                if reply and not line:
                    terminal.press_until("\x1b[A", "grüße, 1a")
                terminal.type(f"{line}\n")
                terminal.until(f"{line}\n< {reply}  ")
                time, unit = terminal.until("\n").split()
                assert float(time) > 0
                assert unit in {"µs", "ms", "s"}
                terminal.until("> ")
            terminal.type(b"\x04")
            assert terminal.end() == (0, "\n")
    file = tmp_path / "state" / "stentor" / "history"
    assert file.read_text() == "hello\ngrüße, 1a\n"  # the same line is not kept again
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_interrupt_while_a_reply_is_due(home: Mapping[str, str]) -> None:
    """Ctrl-C ends at once what waits for a reply."""
    heard = threading.Event()

    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            heard.set()

    with (
        lying.LyingServer(listen) as server,
        Terminal(*_send("--target", server.target, "--timeout", "1h"), environment=home) as terminal,
    ):
        terminal.until("> ")
        terminal.type("hello\n")
        assert heard.wait(SECONDS)
        terminal.type(b"\x03")
        code, shown = terminal.end()
        assert (code, "Traceback" in shown) == (130, False)


def test_raw(shared_server: Server, home: Mapping[str, str], tmp_path: Path) -> None:
    """With --raw there is what was typed and what arrived, and nothing is remembered."""
    with Terminal(*_send("--raw", "--target", shared_server.target), environment=home) as terminal:
        terminal.type("hello\n")
        assert terminal.until("HELLO\n") == "hello\nHELLO\n"
        terminal.type(b"\x04")
        assert terminal.end() == (0, "")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("typed", "shown", "environment"),
    [
        (b"\xffa\n", "< \\xffA  ", {"PYTHONIOENCODING": "utf-8:strict"}),
        ("grüße ✓\n".encode(), "< GR\\xfc\\xdfE \\u2713  ", {"PYTHONIOENCODING": "ascii:strict"}),
    ],
    ids=["no UTF-8", "ASCII"],
)
def test_what_the_locale_lacks(
    shared_server: Server, home: Mapping[str, str], typed: bytes, shown: str, environment: Mapping[str, str]
) -> None:
    """Bytes that are no text can be typed, and characters that the terminal lacks are escaped."""
    environment = {**home, **environment}
    with Terminal(*_send("--target", shared_server.target), environment=environment) as terminal:
        terminal.until("> ")
        terminal.type(typed)
        terminal.until(shown)
        terminal.until("> ")
        terminal.type(b"\x04")
        assert terminal.end() == (0, "\n")


def test_one_reply(shared_server: Server, home: Mapping[str, str]) -> None:
    """The reply to TEXT cannot command the terminal, except with --raw."""
    for raw, expected in (((), b"\\x1b[2J\\x1b[6N"), (("--raw",), b"\x1b[2J\x1b[6N")):
        with Terminal(*_send(*raw, "--target", shared_server.target, "\x1b[2J\x1b[6n"), environment=home) as terminal:
            assert terminal.end()[0] == 0
            assert terminal.shown.strip() == expected
