"""The lines that a person typed before, kept from one conversation to the next."""

import contextlib
import os
from collections.abc import Mapping

from stentor_client.output.output_file import opened_folder, replace

LINES = 1000
_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700  # what was typed is nobody else's affair


def history_path(environment: Mapping[str, str]) -> str:
    """Return where the history is: https://specifications.freedesktop.org/basedir-spec/latest/."""
    state = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # a relative one is to be ignored
        state = os.path.expanduser("~/.local/state")
    return os.path.join(state, "stentor", "history")


class History:
    """Up to `LINES` lines in a file, the oldest first. Where it cannot be read or written, nothing is kept."""

    def __init__(self, path: str) -> None:
        """Read what there is."""
        self.lines: list[str] = []
        self._path = path
        self.trim()

    def add(self, line: str) -> None:
        """Keep a line, but no blank one and none twice in a row.

        It is written at once, so that a terminal that is closed costs nothing, and at the end, so that two
        conversations at a time do not cost each other's lines.
        """
        if not line.strip() or self.lines[-1:] == [line]:
            return
        self.lines.append(line)
        with contextlib.suppress(OSError):  # a conversation that is not remembered is better than none
            os.makedirs(os.path.dirname(self._path), _PRIVATE_FOLDER, exist_ok=True)
            with opened_folder(self._path) as (folder, name):
                how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
                with open(os.open(name, how, _PRIVATE, dir_fd=folder), "wb") as file:
                    file.write(_encoded([line]))

    def trim(self) -> None:
        """Read the file again, with what others added, and drop the oldest lines from it if they are too many."""
        with contextlib.suppress(OSError):
            with open(self._path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                found = file.read().split("\n")[:-1]
            self.lines = [line for line in found[-LINES:] if "\0" not in line]  # a line editor cannot take those
            if len(found) > LINES:
                replace(self._path, _encoded(self.lines), _PRIVATE)


def _encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
