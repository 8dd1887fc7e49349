"""Prints for people: tables and text on standard output, in colour on a terminal."""

from collections.abc import Callable

from rich.console import Console

from stentor_client.output.standard_streams import write_out


def show(draw: Callable[[Console], object], pipe_columns: int | None = None) -> None:
    """Write to standard output what `draw` prints; in a pipe or a file, lines are `pipe_columns` wide.

    Characters that the encoding lacks are replaced, and trailing blanks are removed. Raise `Failure` as `write_out`.
    """
    console = Console(highlight=False, markup=False)
    if pipe_columns is not None and not console.is_terminal:
        console.width = pipe_columns
    with console.capture() as drawn:
        draw(console)
    text = "\n".join(line.rstrip() for line in drawn.get().split("\n"))
    write_out(text.encode(console.encoding, "replace"))
