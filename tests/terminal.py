"""A terminal, and a program on it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Mapping
from typing import Self

from processes import BIN, ENVIRONMENT, NOTHING, state
from waiting import SECONDS, until

_COMMANDS = re.compile(rb"\x1b\[[?0-9;]*[A-Za-z]|\r")  # to the terminal: colours, and what a line editor sends


def _take_terminal() -> None:
    """Make standard input the terminal of this session, so that Ctrl-C reaches it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A pseudo-terminal that shows what a program writes and takes what a person types."""

    def __init__(self, *command: str, columns: int = 80, environment: Mapping[str, str] = NOTHING) -> None:
        """Start a command of ours on it, which has it for all three of its standard streams."""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.shown = b""
        self.process = subprocess.Popen(
            [f"{BIN}/{command[0]}", *command[1:]],
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
        os.close(self._ours)

    def type(self, keys: str | bytes) -> None:
        """Type."""
        os.write(self._ours, keys.encode() if isinstance(keys, str) else keys)

    def until(self, text: str) -> str:
        """Wait until this stands on the screen, below what was waited for before; return all up to there."""
        wanted = text.encode()
        while wanted not in (plain := _COMMANDS.sub(b"", self.shown)):
            assert select.select([self._ours], [], [], SECONDS)[0], f"{text!r} is not shown, but {plain!r}"
            assert self._read(), f"{text!r} was not shown, but {plain!r}"
        before, _, after = plain.partition(wanted)
        self.shown = after
        return (before + wanted).decode(errors="backslashreplace")

    def interrupt(self) -> None:
        """Press Ctrl-C once the program waits for keys: Python's line editor can miss a signal that is earlier."""
        until(lambda: state(self.process.pid) == "S", "the program to sleep")
        self.type(b"\x03")

    def end(self) -> tuple[int, str]:
        """Wait for the end of the program; return its exit code, and what it showed since."""
        while self._read():
            pass
        return self.process.wait(SECONDS), _COMMANDS.sub(b"", self.shown).decode(errors="backslashreplace")

    def _read(self) -> bool:
        try:
            part = os.read(self._ours, 1 << 16)
        except OSError:  # EIO: nobody has the other side any more
            return False
        self.shown += part
        return bool(part)
