"""Lines that were typed before."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.converse.history import LINES, History, history_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history is, when there is one."""
    return tmp_path / "stentor" / "history"


@pytest.mark.parametrize(
    ("state", "expected"),
    [("/state", "/state/stentor/history"), ("", "/home/.local/state/stentor/history"), ("state", None)],
)
def test_place(monkeypatch: pytest.MonkeyPatch, state: str, expected: str | None) -> None:
    """It is where the XDG specification has it, which ignores a relative path."""
    monkeypatch.setenv("HOME", "/home")
    assert history_path({"XDG_STATE_HOME": state}) == (expected or "/home/.local/state/stentor/history")
    assert history_path({}) == "/home/.local/state/stentor/history"


def test_kept(path: Path) -> None:
    """What is added is there the next time, whatever it is; folder and file are private."""
    lines = ["one", "two words ", "\tgrüße\u2028", os.fsdecode(b"\xff")]
    history = History(str(path))
    assert history.lines == []
    for line in lines:
        history.add(line)
    assert lines == history.lines == History(str(path)).lines
    assert [oct(each.stat().st_mode & 0o777) for each in (path, path.parent)] == ["0o600", "0o700"]


def test_not_worth_keeping(path: Path) -> None:
    """Blank lines, and a line like the one before, are not kept."""
    history = History(str(path))
    for line in ("a", "a", "", " ", "b", "a"):
        history.add(line)
    assert path.read_text() == "a\nb\na\n"


@given(st.integers(LINES - 2, LINES + 50))
def test_bound(tmp_path_factory: pytest.TempPathFactory, count: int) -> None:
    """The oldest lines go, from the file as well, which stays private."""
    path = tmp_path_factory.mktemp("state") / "history"
    path.write_text("".join(f"{number}\n" for number in range(count)))
    path.chmod(0o600)
    kept = [str(number) for number in range(count)][-LINES:]
    assert kept == History(str(path)).lines
    assert kept == path.read_text().splitlines()
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert os.listdir(path.parent) == ["history"]


def test_two_at_a_time(path: Path) -> None:
    """Conversations at the same time do not cost each other's lines."""
    first, second = History(str(path)), History(str(path))
    for number in range(LINES):
        first.add(f"first {number}")
        second.add(f"second {number}")
    first.trim()
    assert len(first.lines) == LINES
    assert first.lines[-2:] == [f"first {LINES - 1}", f"second {LINES - 1}"]


def test_nowhere(tmp_path: Path) -> None:
    """Where there cannot be a file, lines are remembered for as long as the conversation lasts."""
    (tmp_path / "file").touch()
    history = History(str(tmp_path / "file" / "stentor" / "history"))
    history.add("a line")
    history.trim()
    assert history.lines == ["a line"]


def test_end_of_a_line_that_is_missing(path: Path) -> None:
    """A line that was cut, as by a full disk, is left out."""
    path.parent.mkdir()
    path.write_text("whole\ncut")
    assert History(str(path)).lines == ["whole"]


def test_trap(path: Path) -> None:
    """A link beside the file, which somebody who knows our names has made, is not written through."""
    path.parent.mkdir()
    path.write_text("line\n" * (LINES + 1))
    precious = path.with_name("precious")
    precious.write_text("precious")
    path.with_name(f"history.{os.getpid()}").symlink_to(precious)
    History(str(path))
    assert precious.read_text() == "precious"
    assert len(path.read_text().splitlines()) == LINES


def test_nothing_that_a_line_editor_cannot_take(path: Path) -> None:
    """A line with NUL characters, which a crash can leave behind, is left out."""
    path.parent.mkdir()
    path.write_text("whole\n\0\0\nnext\n")
    assert History(str(path)).lines == ["whole", "next"]
