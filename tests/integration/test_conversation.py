"""`stentor-client send` on a terminal, as a person uses it."""

import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import lying
from certificates import Authority
from processes import Server
from terminal import Terminal


@pytest.fixture
def home(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which nothing is remembered yet."""
    return {"XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def quick_server() -> Iterator[Server]:
    """A server that ends a connection soon."""
    with Server("--workers", "1", "--idle-timeout", "500ms") as server:
        yield server


def _send(*options: str) -> tuple[str, ...]:
    return ("stentor-client", "send", *options)


def _drop(terminal: Terminal) -> None:
    """Type a line, and Ctrl-C."""
    terminal.type("dropped")
    terminal.until("dropped")
    terminal.interrupt()


@pytest.mark.parametrize("columns", [80, 140])
def test_lines(shared_server: Server, home: Mapping[str, str], columns: int) -> None:
    """Each reply stands below its line, character below character, with its time; Ctrl-D ends well."""
    with Terminal(*_send("--target", shared_server.target), columns=columns, environment=home) as terminal:
        terminal.until(f"Connected to {shared_server.target}: type a line to send it, Ctrl-D to end.\n> ")
        for line, reply in (("hello", "HELLO"), ("grüße, 1a", "GRüßE, 1A"), ("", "")):
            terminal.type(f"{line}\n")
            terminal.until(f"{line}\n< {reply}  ")
            time, unit = terminal.until("\n").split()
            assert (float(time) > 0, unit) == (True, "ms")
            terminal.until("> ")
        terminal.type(b"\x04")
        assert terminal.end() == (0, "\n")


def test_changes_stand_out(shared_server: Server, home: Mapping[str, str]) -> None:
    """What the server changed is bold, and the rest is as it was."""
    with Terminal(*_send("--target", shared_server.target), environment=home) as terminal:
        terminal.until("> ")
        terminal.type("ab 12 c\n")
        while b" ms" not in terminal.shown:
            assert terminal._read()
        assert b"< \x1b[1mAB\x1b[0m 12 \x1b[1mC\x1b[0m" in terminal.shown


def test_history(shared_server: Server, home: Mapping[str, str], tmp_path: Path) -> None:
    """A line typed in one run is there in the next, by the key for it; nobody else can read the file."""
    for line, typed in (("remember me", "remember me\n"), ("remember me", "\x1b[A\n")):
        with Terminal(*_send("--target", shared_server.target), environment=home) as terminal:
            terminal.until("> ")
            terminal.type("x")  # the history is loaded when keys are shown
            terminal.until("x")
            terminal.type("\x15")
            terminal.type(typed)
            terminal.until(f"< {line.upper()}")
            terminal.until("> ")
            terminal.type(b"\x04")
            assert terminal.end()[0] == 0
    file = tmp_path / "state" / "stentor" / "history"
    assert file.read_text() == "remember me\n"
    assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_nowhere_to_keep_the_history(shared_server: Server, tmp_path: Path) -> None:
    """Where nothing can be kept the conversation is as good as any."""
    (tmp_path / "file").touch()
    home = {"XDG_STATE_HOME": str(tmp_path / "file")}
    with Terminal(*_send("--target", shared_server.target), environment=home) as terminal:
        terminal.until("> ")
        terminal.type("hello\n")
        terminal.until("< HELLO")
        terminal.until("> ")
        terminal.type(b"\x04")
        assert terminal.end() == (0, "\n")


def test_interrupts(shared_server: Server, home: Mapping[str, str]) -> None:
    """Ctrl-C drops the line and says how to end; a second one in a row ends with 130."""
    with Terminal(*_send("--target", shared_server.target), environment=home) as terminal:
        terminal.until("> ")
        for line in ("one", "two"):
            _drop(terminal)
            terminal.until("Ctrl-C again, or Ctrl-D, ends.\n> ")
            terminal.type(f"{line}\n")
            terminal.until(f"< {line.upper()}")
            terminal.until("> ")
        _drop(terminal)
        terminal.until("Ctrl-C again, or Ctrl-D, ends.\n> ")
        _drop(terminal)
        code, shown = terminal.end()
        assert (code, "Traceback" in shown) == (130, False)


def test_interrupt_while_a_reply_is_due(home: Mapping[str, str]) -> None:
    """Ctrl-C ends at once what waits for a reply."""
    heard = threading.Event()

    def listen(connection: socket.socket) -> None:
        while connection.recv(65536):
            heard.set()

    with (
        lying.LyingServer(listen) as server,
        Terminal(*_send("--target", server.target, "--timeout", "1m"), environment=home) as terminal,
    ):
        terminal.until("> ")
        terminal.type("hello\n")
        assert heard.wait(20)
        terminal.type(b"\x03")
        code, shown = terminal.end()
        assert (code, "Traceback" in shown) == (130, False)


def test_server_ends_while_a_person_types(quick_server: Server, home: Mapping[str, str]) -> None:
    """The end of the connection is told at once, in one line, whatever is half typed."""
    with Terminal(*_send("--target", quick_server.target), environment=home) as terminal:
        terminal.until("> ")
        terminal.type("half a li")
        code, shown = terminal.end()
        told = f"stentor-client: eof: {quick_server.target}: the server closed the connection\n"
        assert (code, shown) == (4, f"half a li\n{told}")


def test_wrong_reply(home: Mapping[str, str]) -> None:
    """The first wrong byte is pointed at, the conversation goes on, and the exit code remembers."""
    with (
        lying.LyingServer(lying.flip) as server,
        Terminal(*_send("--target", server.target), environment=home) as terminal,
    ):
        for line in ("hello", "hello"):
            terminal.until("> ")
            terminal.type(f"{line}\n")
            terminal.until("< HELLN  ")
            terminal.until("\n")
            fault = r"mismatch: at byte 4 of the reply, expected 'O\n' and got 'N\n'"
            assert terminal.until("\n") == f"      ^ {fault}\n"
        terminal.until("> ")
        terminal.type(b"\x04")
        assert terminal.end() == (5, "\n")


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        (lying.close_early, 4, "eof: {target}: the server closed the connection before any byte of the reply"),
        (lying.reset, 4, "reset: {target}: the connection was cut before any byte of the reply"),
        (lying.stay_silent, 4, "timeout: {target}: no progress for 0.3 s before any byte of the reply"),
        (lying.truncate, 5, "short: {target}: the server ended its side after 5 B of the reply, '\\n' was to follow"),
    ],
)
def test_lost_connection(behaviour: lying.Behaviour, code: int, words: str, home: Mapping[str, str]) -> None:
    """A connection that ends before a reply is complete ends the conversation, with one line and its exit code."""
    with (
        lying.LyingServer(behaviour) as server,
        Terminal(*_send("--target", server.target, "--timeout", "300ms"), environment=home) as terminal,
    ):
        terminal.until("> ")
        terminal.type("hello\n")
        terminal.until("hello\n")
        ended, shown = terminal.end()
        assert ended == code
        assert shown.splitlines()[-1] == "stentor-client: " + words.format(target=server.target)
        assert shown.count("stentor-client: ") == 1


def test_nobody_there(home: Mapping[str, str]) -> None:
    """Where nobody listens there is no prompt."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound, and not listening
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        with Terminal(*_send("--target", target), environment=home) as terminal:
            assert terminal.end() == (3, f"stentor-client: refused: {target}: Connection refused\n")


def test_raw(shared_server: Server, home: Mapping[str, str], tmp_path: Path) -> None:
    """With --raw there is what was typed and what came, and nothing is remembered."""
    with Terminal(*_send("--raw", "--target", shared_server.target), environment=home) as terminal:
        terminal.type("hello\n")
        assert terminal.until("HELLO\n") == "hello\nHELLO\n"
        terminal.type(b"\x04")
        assert terminal.end() == (0, "")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("raw", [(), ("--raw",)], ids=["conversation", "raw"])
def test_mutual_tls(authority: Authority, home: Mapping[str, str], raw: tuple[str, ...]) -> None:
    """With certificates on both sides it is the same; the server sees an orderly end."""
    certificate = authority.issue("server")
    tls = ("--tls", "--tls-ca", authority.file, "--tls-cert", authority.issue("client", "somebody"))
    with Server("--workers", "1", "--tls-cert", certificate, "--tls-client-ca", authority.file) as server:
        with Terminal(*_send("--target", server.target, *tls, *raw), environment=home) as terminal:
            terminal.type("hello\n")
            terminal.until("HELLO")
            terminal.until("\n" if raw else "> ")
            terminal.type(b"\x04")
            assert terminal.end()[0] == 0
        assert [each["received_bytes"] for each in server.closed("eof")] == [6]


def test_unix_socket(tmp_path: Path, home: Mapping[str, str]) -> None:
    """A Unix socket is as good."""
    path = tmp_path / "stentor.sock"
    with (
        Server("--workers", "1", "--unix", str(path)),
        Terminal(*_send("--target", f"unix:{path}"), environment=home) as terminal,
    ):
        terminal.until("> ")
        terminal.type("hello\n")
        terminal.until("< HELLO")
        terminal.until("> ")
        terminal.type(b"\x04")
        assert terminal.end() == (0, "\n")
