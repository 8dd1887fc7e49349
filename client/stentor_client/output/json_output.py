"""Where a command writes its result as JSON."""

from typing import Any

from stentor_chassis.encoding import encode
from stentor_client.output.output_file import OutputFile
from stentor_client.output.standard_streams import write_out


class JsonOutput:
    """What `--json` names: a file, with `-` standard output, or nothing."""

    def __init__(self, path: str | None) -> None:
        """Take the option's value before the work begins, which nobody wants to do twice.

        Raises:
            click.BadParameter: where it is a file that cannot be written.

        """
        self.in_place_of_text = path == "-"
        self._file = None if path is None or self.in_place_of_text else OutputFile("json", path)

    def write(self, value: Any) -> None:
        """Write `value`, in a file in place of what it held.

        Raises:
            Failure: where it cannot be written after all, or nobody reads it any more, which needs no words.

        """
        if self.in_place_of_text:
            write_out(encode(value, indent=True))
        elif self._file is not None:
            self._file.write(encode(value, indent=True))
