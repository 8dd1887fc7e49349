"""Shows a reply below the line that was sent."""

import itertools

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stentor_chassis.escaping import escaped

PROMPT = "> "
_MARK = "< "  # as wide as the prompt, so that each character is below the one that was sent


def show_reply(console: Console, message: bytes, reply: bytes, note: str) -> None:
    """Print the reply to `message`; the characters that differ are bold."""
    sent, received = printable(message.removesuffix(b"\n")), printable(reply.removesuffix(b"\n"))
    line = Text(_MARK + received)
    if len(sent) == len(received):
        at = len(_MARK)
        for changed, pairs in itertools.groupby(zip(sent, received, strict=True), key=lambda pair: pair[0] != pair[1]):
            begun, at = at, at + len(list(pairs))
            if changed:
                line.stylize("bold", begun, at)
    console.print(line.append(f"  {note}", "dim"), soft_wrap=True)


def show_fault(console: Console, reply: bytes, offset: int, fault: str) -> None:
    """Print what is wrong with the last reply, after a caret below the byte at `offset` if it is in sight."""
    column = len(_MARK) + cell_len(printable(reply[:offset]))
    lines = [fault]
    if column < console.width:
        beside = f"{' ' * column}^ {fault}"
        lines = [beside] if cell_len(beside) <= console.width else [beside[: column + 1], fault]
    for line in lines:
        console.print(Text(line.rstrip(), "red"), soft_wrap=True)


def printable(data: bytes) -> str:
    """Return printable text; invalid UTF-8 and control characters are escaped."""
    return escaped(data.decode(errors="backslashreplace"))
