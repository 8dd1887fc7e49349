"""A reply beneath what was sent."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from stentor_client.converse.answer import PROMPT, printable, show_fault, show_reply


def _console(*, columns: int = 80, colours: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=columns, force_terminal=colours, color_system="standard" if colours else None
    )


def _shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(st.text(st.characters(categories=("L", "N", "P", "Zs"))).map(lambda text: text.encode()))
def test_stands_below(message: bytes) -> None:
    """Without colours a reply is its text, after a mark as wide as the prompt, and the note."""
    console = _console()
    show_reply(console, message + b"\n", message.upper() + b"\n", "0.31 ms")
    assert _shown(console) == f"< {printable(message.upper())}  0.31 ms\n"
    assert len(PROMPT) == len("< ")


def test_what_changed() -> None:
    """What differs is bold, and the note dim."""
    console = _console(colours=True)
    show_reply(console, b"ab 12 cD\n", b"AB 12 CD\n", "1 ms")
    assert _shown(console) == "< \x1b[1mAB\x1b[0m 12 \x1b[1mC\x1b[0mD\x1b[2m  1 ms\x1b[0m\n"


def test_another_length() -> None:
    """Where the reply is shorter or longer there is nothing to compare character by character."""
    console = _console(colours=True)
    show_reply(console, b"abc\n", b"AB", "1 ms")
    assert _shown(console) == "< AB\x1b[2m  1 ms\x1b[0m\n"


@pytest.mark.parametrize(
    ("reply", "offset", "column"),
    [(b"HELLn\n", 4, 6), (b"\x00ELLO\n", 1, 6), ("ÜBEr\n".encode(), 4, 5), ("日本x\n".encode(), 6, 6), (b"", 0, 2)],
)
def test_fault(reply: bytes, offset: int, column: int) -> None:
    """The caret points at the character of the wrong byte, however wide those before it are."""
    console = _console()
    show_fault(console, reply, offset, "mismatch: wrong")
    assert _shown(console) == f"{' ' * column}^ mismatch: wrong\n"


def test_fault_that_has_no_room() -> None:
    """If line and caret do not fit, the words go to a line of their own, and a caret out of sight is left out."""
    console = _console(columns=20)
    show_fault(console, b"x" * 15, 15, "mismatch: wrong")
    show_fault(console, b"x" * 18, 18, "mismatch: wrong")
    show_fault(console, b"AB", 1, "")
    assert _shown(console) == f"{' ' * 17}^\nmismatch: wrong\nmismatch: wrong\n   ^\n"
