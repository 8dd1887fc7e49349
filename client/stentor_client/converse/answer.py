"""Shows a reply beneath the line that was sent."""

import itertools

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stentor_chassis.escaping import escaped

PROMPT = "> "
_MARK = "< "  # as wide as the prompt, so that each character stands beneath the one it was


def show_reply(console: Console, message: bytes, reply: bytes, note: str) -> None:
    """Print what came for `message`: what differs from it is bold."""
    sent, came = printable(message.removesuffix(b"\n")), printable(reply.removesuffix(b"\n"))
    line = Text(_MARK + came)
    if len(sent) == len(came):
        at = len(_MARK)
        for changed, pairs in itertools.groupby(zip(sent, came, strict=True), key=lambda pair: pair[0] != pair[1]):
            begun, at = at, at + len(list(pairs))
            if changed:
                line.stylize("bold", begun, at)
    console.print(line.append(f"  {note}", "dim"), soft_wrap=True)


def show_fault(console: Console, reply: bytes, offset: int, fault: str) -> None:
    """Print what is wrong with the reply printed last, after a caret below the byte at `offset` if that is in sight."""
    column = len(_MARK) + cell_len(printable(reply[:offset]))
    lines = [fault]
    if column < console.width:
        beside = f"{' ' * column}^ {fault}"
        lines = [beside] if cell_len(beside) <= console.width else [beside[: column + 1], fault]
    for line in lines:
        console.print(Text(line.rstrip(), "red"), soft_wrap=True)


def printable(data: bytes) -> str:
    """Return what a terminal can show: whatever is no text, or could command the terminal, is escaped."""
    return escaped(data.decode(errors="backslashreplace"))
