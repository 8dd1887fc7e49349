"""The result of a command, as JSON and as text."""

from collections.abc import Callable
from typing import Any

from stentor_chassis.encoding import encode
from stentor_chassis.options.option import Declare, option
from stentor_chassis.options.text import Path
from stentor_client.output.output_file import OutputFile
from stentor_client.output.standard_streams import write_out


def json_option(content: str) -> Declare:
    """Declare `--json`; `content` is the noun of its help."""
    words = f"Write {content} to this file as JSON; - prints JSON instead of text."
    return option("--json", type=Path(), metavar="FILE", help=words)


class JsonOutput:
    """The output that `--json` names: a file, standard output (`-`), or nothing."""

    def __init__(self, path: str | None) -> None:
        """Check the option's value before the work begins.

        Raises:
            click.BadParameter: the file cannot be written.

        """
        self._replaces_text = path == "-"
        self._file = None if path is None or self._replaces_text else OutputFile("json", path)

    def write(self, value: Any, show: Callable[[], object]) -> None:
        """Write `value`, replacing the file's content; then `show` the text, unless the JSON is printed instead.

        Raises:
            Failure: the output cannot be written, or its reader is gone.

        """
        if self._replaces_text:
            write_out(encode(value, indent=True))
            return
        try:
            if self._file is not None:
                self._file.write(encode(value, indent=True))
        finally:  # even if the disk is full
            show()
