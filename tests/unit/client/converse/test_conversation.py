"""A conversation, without the terminal."""

import builtins
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lying import Behaviour, LyingServer, add, close_early, flip, reset, stay_silent, truncate
from stentor_chassis.failure import Failure
from stentor_client.converse.answer import PROMPT
from stentor_client.converse.conversation import Conversation
from stentor_client.converse.history import History
from stentor_client.wire.dialer import DialOptions

SECONDS = 10.0
Output = pytest.CaptureFixture[str]
Type = Callable[..., None]


def honest(connection: socket.socket) -> None:
    """Answer in upper case."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Types lines, or does what a key makes `input` raise, and ends with Ctrl-D."""

    def types(*lines: str | type[BaseException] | Callable[[], str]) -> None:
        left = iter([*lines, EOFError])

        def typed(prompt: str) -> str:
            assert prompt == PROMPT
            line = next(left)
            if isinstance(line, type):
                raise line
            return line if isinstance(line, str) else line()

        monkeypatch.setattr(builtins, "input", typed)

    return types


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The signal that calls the person is given back."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    assert signal.getsignal(signal.SIGUSR1) is before


def _converse(behaviour: Behaviour, path: Path, timeout: float = SECONDS, expect: str = "upper") -> int:
    with LyingServer(behaviour) as server:
        options = DialOptions(target=server.target, connect_timeout_seconds=SECONDS)
        return Conversation(options, expect, timeout, History(str(path / "history"))).run()


def test_lines(person: Type, capsys: Output, tmp_path: Path) -> None:
    """Each line has its reply, bytes that are no text as well; the lines are remembered."""
    person("hello", "", os.fsdecode(b"\xffx"))
    assert _converse(honest, tmp_path) == 0
    shown = capsys.readouterr()
    replies = [line.rsplit("  ", 1)[0] for line in shown.out.splitlines()]
    assert replies == ["< HELLO", "< ", "< \\xffX"]
    assert shown.err.startswith("Connected to 127.0.0.1:")
    assert (tmp_path / "history").read_bytes() == b"hello\n\xffx\n"


def test_goes_on_after_a_wrong_reply(person: Type, capsys: Output, tmp_path: Path) -> None:
    """A wrong reply is marked and costs the exit code, and not the conversation."""
    person("hello", "again")
    assert _converse(flip, tmp_path) == 5
    shown = capsys.readouterr().out
    assert shown.count("      ^ mismatch: at byte 4 of the reply") == 2


def test_expectation(person: Type, capsys: Output, tmp_path: Path) -> None:
    """What the replies must be is an option."""
    person("12 a")
    assert _converse(honest, tmp_path, expect="echo") == 5
    assert "     ^ mismatch: at byte 3 of the reply" in capsys.readouterr().out


def test_bytes_too_many(person: Type, capsys: Output, tmp_path: Path) -> None:
    """A byte too many is shown, and pointed at."""
    person("ab")
    assert _converse(add, tmp_path) == 5
    assert "< AB\\n!  " in (shown := capsys.readouterr().out)
    assert "^ extra: at byte 3 of the reply, got '!' that nobody asked for" in shown


@pytest.mark.parametrize(
    ("behaviour", "code", "outcome"),
    [(close_early, 4, "eof"), (reset, 4, "reset"), (stay_silent, 4, "timeout"), (truncate, 5, "short")],
)
def test_lost(person: Type, tmp_path: Path, behaviour: Behaviour, code: int, outcome: str) -> None:
    """A connection that is lost ends the conversation with one line, and the lines are kept."""
    person("hello", "never sent")
    with pytest.raises(Failure, match=rf"^{outcome}: 127\.0\.0\.1:\d+: ") as failure:
        _converse(behaviour, tmp_path, timeout=0.3)
    assert (failure.value.code, "\n" in failure.value.message) == (code, False)
    assert (tmp_path / "history").read_text() == "hello\n"


def test_worst_reply_counts(person: Type, tmp_path: Path) -> None:
    """A connection that is lost after a wrong reply has the code of the worse."""

    def wrong_once(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100))
        connection.recv(100)

    person("hello", "again")
    with pytest.raises(Failure, match=r"^eof: ") as failure:
        _converse(wrong_once, tmp_path)
    assert failure.value.code == 5


def test_lost_at_the_prompt(person: Type, tmp_path: Path) -> None:
    """The end of the connection calls a person who is typing away from it."""

    def think() -> str:
        heard.set()
        threading.Event().wait(SECONDS)
        return "nobody came"

    def leave(connection: socket.socket) -> None:
        heard.wait(SECONDS)

    heard = threading.Event()
    person(think)
    with pytest.raises(Failure, match=r"^eof: .*: the server closed the connection") as failure:
        _converse(leave, tmp_path)
    assert failure.value.code == 4


def test_interrupts(person: Type, capsys: Output, tmp_path: Path) -> None:
    """Ctrl-C costs the line; only a second one in a row ends."""
    person(KeyboardInterrupt, "a", KeyboardInterrupt, "b", KeyboardInterrupt, KeyboardInterrupt, "c")
    with pytest.raises(KeyboardInterrupt):
        _converse(honest, tmp_path)
    shown = capsys.readouterr()
    assert [line.split()[1] for line in shown.out.splitlines()] == ["A", "B"]
    assert shown.err.count("Ctrl-C again, or Ctrl-D, ends.\n") == 3


def test_nobody_there(person: Type, capsys: Output, tmp_path: Path) -> None:
    """Where nobody listens no line is asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = DialOptions(target=f"127.0.0.1:{listener.getsockname()[1]}", connect_timeout_seconds=SECONDS)
    person(AssertionError)
    with pytest.raises(Failure, match=r"^refused: ") as failure:
        Conversation(options, "upper", SECONDS, History(str(tmp_path / "history"))).run()
    assert (failure.value.code, capsys.readouterr()) == (3, ("", ""))


def test_slow_is_not_still(person: Type, capsys: Output, tmp_path: Path) -> None:
    """A reply that takes longer than the time-out, and never stands still so long, is waited for."""

    def trickle(connection: socket.socket) -> None:
        for value in connection.recv(100).upper():
            threading.Event().wait(0.1)
            connection.sendall(bytes([value]))
        connection.recv(100)

    person("twenty bytes of text")
    assert _converse(trickle, tmp_path, timeout=1.5) == 0
    assert "< TWENTY BYTES OF TEXT  " in capsys.readouterr().out
