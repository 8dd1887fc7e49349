"""Lines typed earlier."""

import os
from pathlib import Path

import pytest

from stentor_client.converse.history import LINES, PrivateHistory, history_path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a history."""
    return tmp_path / "stentor" / "history"


@pytest.mark.parametrize(
    ("state", "expected"),
    [("/state", "/state/stentor/history"), ("", "/home/.local/state/stentor/history"), ("state", None)],
)
def test_place(monkeypatch: pytest.MonkeyPatch, state: str, expected: str | None) -> None:
    """The path is as in the XDG specification, which ignores a relative one."""
    monkeypatch.setenv("HOME", "/home")
    assert history_path({"XDG_STATE_HOME": state}) == (expected or "/home/.local/state/stentor/history")
    assert history_path({}) == "/home/.local/state/stentor/history"


def _loaded(path: Path) -> list[str]:
    return [*PrivateHistory(str(path)).load_history_strings()][::-1]


def test_kept(path: Path) -> None:
    """Lines of any content are kept in order, except blank ones; folder and file are private."""
    lines = ["one", "two words ", "\tgrüße\u2028", os.fsdecode(b"\xff")]
    history = PrivateHistory(str(path))
    assert _loaded(path) == []
    for line in (*lines, "", " "):
        history.store_string(line)
    assert lines == _loaded(path)
    assert [oct(each.stat().st_mode & 0o777) for each in (path, path.parent)] == ["0o600", "0o700"]


@pytest.mark.parametrize("more", [0, 1, 50])
def test_bound(path: Path, more: int) -> None:
    """The oldest lines are removed, also from the file, which stays private; a cut line is left out."""
    path.parent.mkdir()
    path.write_text("".join(f"{number}\n" for number in range(LINES + more)) + "cut")
    path.chmod(0o600)
    assert _loaded(path) == [str(number) for number in range(more, LINES + more)]
    if more:
        assert path.read_text().splitlines() == _loaded(path)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert os.listdir(path.parent) == ["history"]


def test_two_at_a_time(path: Path) -> None:
    """Concurrent conversations keep each other's lines."""
    first, second = PrivateHistory(str(path)), PrivateHistory(str(path))
    for number in range(LINES):
        first.store_string(f"first {number}")
        second.store_string(f"second {number}")
    first.trim()
    lines = path.read_text().splitlines()
    assert (len(lines), lines[-2:]) == (LINES, [f"first {LINES - 1}", f"second {LINES - 1}"])


def test_nowhere(tmp_path: Path) -> None:
    """If there cannot be a file, nothing is kept."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "stentor" / "history"
    PrivateHistory(str(path)).store_string("a line")
    assert _loaded(path) == []
