"""Printing for people."""

import pytest
from rich.text import Text

from stentor_client.output.terminal import show


@pytest.mark.parametrize("columns", [30, None])
def test_show(capfd: pytest.CaptureFixture[str], columns: int | None) -> None:
    """In a pipe there is no colour, lines are as wide as asked for, and trailing blanks are removed."""
    words = Text("word " * 10 + "  ", "red")
    show(lambda console: console.print(words), columns)
    lines = capfd.readouterr().out.splitlines()
    assert " ".join(lines) == ("word " * 10).rstrip()
    assert len(lines) == (2 if columns else 1)


def test_encoding(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that the encoding lacks is replaced."""
    monkeypatch.setattr("rich.console.Console.encoding", "ascii")
    show(lambda console: console.print("[µ] 1"))
    assert capfd.readouterr().out == "[?] 1\n"
