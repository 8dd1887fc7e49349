"""Keeps the lines that a person typed from one conversation to the next.

`FileHistory` of prompt_toolkit has a format of its own, keeps every line for ever, and lets others read the file.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping

from prompt_toolkit.history import History

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
                shorter = f"{self._path}.{os.getpid()}"
                self._write(shorter, os.O_TRUNC, found[-LINES:])
                os.replace(shorter, os.path.realpath(self._path))
            return found[-LINES:]
        return []

    def store_string(self, string: str) -> None:
        """Append a line at once, so that a closed terminal loses nothing, and concurrent conversations keep theirs."""
        if string.strip():
            with contextlib.suppress(OSError):
                os.makedirs(os.path.dirname(self._path), _PRIVATE_FOLDER, exist_ok=True)
                self._write(self._path, os.O_APPEND, [string])

    def _write(self, path: str, how: int, lines: list[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | how, _PRIVATE), "wb") as file:
            file.write(data)
