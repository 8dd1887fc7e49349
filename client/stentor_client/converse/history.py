"""Keeps the lines that a person typed from one conversation to the next.

`FileHistory` of prompt_toolkit has a format of its own, keeps every line, and leaves the file readable to others.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping

from prompt_toolkit.history import History

from stentor_client.output.output_file import opened_folder, replace

LINES = 1000
_PRIVATE, _PRIVATE_FOLDER = 0o600, 0o700


def history_path(environment: Mapping[str, str]) -> str:
    """Return the path of the history: https://specifications.freedesktop.org/basedir-spec/latest/."""
    state = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # the specification says to ignore a relative one
        state = os.path.expanduser("~/.local/state")
    return os.path.join(state, "stentor", "history")


class PrivateHistory(History):
    """The last `LINES` lines, in a file that only its owner can read; if that is impossible, nothing is kept."""

    def __init__(self, path: str) -> None:
        """Keep them in this file."""
        super().__init__()
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """Return the kept lines, the latest first."""
        return [line for line in reversed(self.trim()) if "\0" not in line]  # prompts cannot show those

    def trim(self) -> list[str]:
        """Remove the oldest lines from the file if there are too many; return the others."""
        with contextlib.suppress(OSError):
            with open(self._path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                found = file.read().split("\n")[:-1]
            if len(found) > LINES:
                replace(self._path, _encoded(found[-LINES:]), _PRIVATE)
            return found[-LINES:]
        return []

    def store_string(self, string: str) -> None:
        """Append a line at once, so that a closed terminal loses nothing, and concurrent conversations keep theirs."""
        if string.strip():
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(self._path), _PRIVATE_FOLDER, exist_ok=True)
                how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
                with (
                    opened_folder(self._path) as (folder, name),
                    open(os.open(name, how, _PRIVATE, dir_fd=folder), "wb") as file,
                ):
                    file.write(_encoded([string]))


def _encoded(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
