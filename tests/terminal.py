"""A terminal, and a program on it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from typing import Self

from processes import BIN, ENVIRONMENT, NOTHING
from waiting import SECONDS, until

_PIECE = re.compile(r"\x1b\[(?P<number>[?0-9;]*)(?P<command>[A-Za-z])|(?P<character>.)", re.DOTALL)
_TRAILING_BLANKS = re.compile(" +$", re.MULTILINE)


def _take_terminal() -> None:
    """Make standard input the terminal of this session, so that Ctrl-C and the end of the terminal reach it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whatever the tests were started with
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A pseudo-terminal that shows what a program writes and takes what a person types."""

    def __init__(
        self, *command: str, columns: int = 80, environment: Mapping[str, str] = NOTHING, before: Sequence[str] = ()
    ) -> None:
        """Start a command of ours on it, which has it for all three of its standard streams; `before` runs it."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.shown = b""
        self._seen = 0  # how much of the screen was waited for
        self.process = subprocess.Popen(
            [*before, f"{BIN}/{command[0]}", *command[1:]],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**ENVIRONMENT, "TERM": "xterm", **environment},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one system call, which takes no lock
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Be sure that the program is gone."""
        self.process.kill()
        self.process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Close the terminal."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def type(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._ours, keys.encode() if isinstance(keys, str) else keys)

    def press_until(self, keys: str, text: str) -> None:
        """Type keys again and again until this stands on the screen: the program may ignore the first."""

        def shown() -> bool:
            self.type(keys)
            while select.select([self._ours], [], [], 0.1)[0]:
                assert self._read(), f"{text!r} was not shown"
            return text in self._screen()[self._seen :]

        until(shown, f"{text!r} after {keys!r}")
        self.until(text)

    def until(self, text: str) -> str:
        """Wait until this stands on the screen, below what was waited for before; return all up to there."""
        while text not in (new := self._screen()[self._seen :]):
            assert select.select([self._ours], [], [], SECONDS)[0], f"{text!r} is not shown, but {new!r}"
            assert self._read(), f"{text!r} was not shown, but {new!r}"
        before, _, _ = new.partition(text)
        self._seen += len(before + text)
        return before + text

    def end(self) -> tuple[int, str]:
        """Wait for the end of the program; return its exit code, and what it showed since."""
        while self._read():
            pass
        return self.process.wait(SECONDS), _TRAILING_BLANKS.sub("", self._screen()[self._seen :])

    def _screen(self) -> str:
        """Return all lines as they look now, which is not how they were written: a line editor moves the cursor."""
        lines, column = [""], 0
        for piece in _PIECE.finditer(self.shown.decode(errors="replace")):
            number, command, character = piece.groups()
            match character or f"\x1b{command}":
                case "\r":
                    column = 0
                case "\n":
                    lines.append("")
                case "\b":
                    column -= 1
                case "\x1bD":
                    column -= int(number or 1)
                case "\x1bC":
                    column += int(number or 1)
                    lines[-1] = lines[-1].ljust(column)
                case "\x1bJ" | "\x1bK":
                    lines[-1] = lines[-1][:column].ljust(len(lines[-1]))
                case _ if character:
                    lines[-1] = lines[-1][:column].ljust(column) + character + lines[-1][column + 1 :]
                    column += 1
        return "\n".join(lines)

    def _read(self) -> bool:
        try:
            part = os.read(self._ours, 1 << 16)
        except OSError:  # EIO: nobody has the other side any more
            return False
        self.shown += part
        return bool(part)
