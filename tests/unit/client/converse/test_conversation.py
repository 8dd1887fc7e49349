"""A conversation with keys from a pipe in place of a terminal."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from lying import Behaviour, LyingServer, close_early, flip, reset, stay_silent, truncate
from stentor_chassis.failure import Failure
from stentor_client.converse.conversation import Conversation
from stentor_client.converse.history import PrivateHistory
from stentor_client.wire.dialer import DialOptions
from unit.client.probing import honest
from unit.client.wire.naming import refusing

SECONDS = 10.0
Output = pytest.CaptureFixture[str]


@pytest.fixture
def keys() -> Iterator[PipeInput]:
    """The keys that a person types."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def _converse(behaviour: Behaviour, path: Path, timeout: float = SECONDS, expect: str = "upper") -> int:
    with LyingServer(behaviour) as server:
        options = DialOptions(target=server.target, connect_timeout_seconds=SECONDS)
        return Conversation(options, expect, timeout, PrivateHistory(str(path / "history"))).run()


def test_lines(keys: PipeInput, capsys: Output, tmp_path: Path) -> None:
    """Each line has its reply, also if it is empty or not text, and lines are kept."""
    keys.send_text("hello\r\r")
    keys.send_bytes(b"\xffx\r\x04")
    assert _converse(honest, tmp_path) == 0
    shown = capsys.readouterr()
    replies = [line.rsplit("  ", 1)[0] for line in shown.out.splitlines()]
    assert replies == ["< HELLO", "< ", "< \\xffX"]
    assert shown.err.startswith("Connected to 127.0.0.1:")
    assert (tmp_path / "history").read_bytes() == b"hello\n\xffx\n"


@pytest.mark.parametrize(
    ("behaviour", "expect", "shown"),
    [
        (flip, "upper", "      ^ mismatch: at byte 4 of the reply"),
        (honest, "echo", "     ^ mismatch: at byte 3 of the reply"),
    ],
)
def test_goes_on_after_a_wrong_reply(
    keys: PipeInput, capsys: Output, tmp_path: Path, behaviour: Behaviour, expect: str, shown: str
) -> None:
    """A wrong reply is marked, and determines the exit code, but does not end the conversation."""
    keys.send_text("12 ab\r12 ab\r\x04")
    assert _converse(behaviour, tmp_path, expect=expect) == 5
    assert capsys.readouterr().out.count(shown) == 2


@pytest.mark.parametrize(
    ("behaviour", "code", "outcome"),
    [(close_early, 4, "eof"), (reset, 4, "reset"), (stay_silent, 4, "timeout"), (truncate, 5, "short")],
)
def test_lost(keys: PipeInput, tmp_path: Path, behaviour: Behaviour, code: int, outcome: str) -> None:
    """A lost connection ends the conversation with one line; what was typed is kept."""
    keys.send_text("hello\rnever sent\r")
    with pytest.raises(Failure, match=rf"^{outcome}: 127\.0\.0\.1:\d+: ") as failure:
        _converse(behaviour, tmp_path, timeout=0.3 if outcome == "timeout" else SECONDS)
    assert (failure.value.code, "\n" in failure.value.message) == (code, False)
    assert (tmp_path / "history").read_text() == "hello\n"


def test_lost_at_the_prompt(keys: PipeInput, tmp_path: Path) -> None:
    """The end of the connection is reported while a person types; the exit code is that of the worst reply."""

    def wrong_once(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100))
        threading.Event().wait(0.2)  # meanwhile the prompt returns; on a slow machine the wrong reply is the last word

    keys.send_text("hello\rhalf a li")
    words = r"^((eof|reset): .*: the (peer closed the )?connection|mismatch: )"
    with pytest.raises(Failure, match=words) as failure:
        _converse(wrong_once, tmp_path)
    assert failure.value.code == 5


def test_surplus(keys: PipeInput, capsys: Output, tmp_path: Path) -> None:
    """Bytes too many are shown, not more than some, and pointed at."""
    keys.send_text("ab\r\x04")

    def add_much(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper() + b"!" * 50_000)
        connection.recv(100)

    assert _converse(add_much, tmp_path) == 5
    shown = capsys.readouterr().out
    assert "  ^ extra: at byte 3 of the reply, got surplus '!!" in shown
    assert shown.count("!") <= 1100


def test_interrupts(keys: PipeInput, capsys: Output, tmp_path: Path) -> None:
    """Ctrl-C drops the line; only a second one in a row ends the conversation."""
    keys.send_text("dropped\x03a\r\x03b\r\x03\x03c\r")
    with pytest.raises(KeyboardInterrupt):
        _converse(honest, tmp_path)
    shown = capsys.readouterr()
    assert [line.split()[1] for line in shown.out.splitlines()] == ["A", "B"]
    assert shown.err.count("Press Ctrl-C again or Ctrl-D to end.\n") == 3


@pytest.mark.usefixtures("keys")
def test_nobody_there(capsys: Output, tmp_path: Path) -> None:
    """Without a connection there is no prompt."""
    options = DialOptions(target="{}:{}".format(*refusing()), connect_timeout_seconds=SECONDS)
    with pytest.raises(Failure, match=r"^refused: ") as failure:
        Conversation(options, "upper", SECONDS, PrivateHistory(str(tmp_path / "history"))).run()
    assert (failure.value.code, capsys.readouterr()) == (3, ("", ""))
