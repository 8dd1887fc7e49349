"""Structured logging."""

import json
import logging
import os
import pty
import select
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.logs.log import RELAY_LINES, RELAY_SECONDS, Format, Log, LogOptions, excerpt

FACTS = {"service": "a-service", "version": "1.2.3", "worker": 7}
ESCAPE = b"\x1b["


class Written:
    """A log, and what has been written to its descriptor."""

    def __init__(self, write: int, read: int, **options: Any) -> None:
        """Log to `write`."""
        self._read = read
        plain: dict[str, Any] = {"level": "debug", "format": "json"}
        self.log = Log(LogOptions(**plain | options, fd=write), service="a-service", version="1.2.3", worker=7)
        self.logger = self.log.logger

    def raw(self) -> bytes:
        """Return what was written, as it is."""
        self.log.flush()
        os.set_blocking(self._read, False)
        try:
            return os.read(self._read, 1 << 20)
        except BlockingIOError:
            return b""

    def events(self) -> list[dict[str, Any]]:
        """Return what was written, line by line."""
        return [json.loads(line) for line in self.raw().splitlines()]


@pytest.fixture
def log_to_pipe() -> Iterator[Callable[..., Written]]:
    """Makes a log that goes to a pipe."""
    fds: list[int] = []

    def make(**options: Any) -> Written:
        read, write = os.pipe()
        fds.extend((read, write))
        return Written(write, read, **options)

    yield make
    for fd in fds:
        os.close(fd)


@pytest.fixture
def log_to_terminal() -> Iterator[Callable[..., Written]]:
    """Makes a log that goes to a terminal."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[1] &= ~termios.OPOST  # a newline is a newline
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    yield lambda **options: Written(theirs, ours, **options)
    os.close(theirs)
    os.close(ours)


def test_level(log_to_pipe: Callable[..., Written]) -> None:
    """Events below the level are not logged."""
    written = log_to_pipe(level="warning")
    for level in ("debug", "info", "warning", "error"):
        getattr(written.logger, level)("thing.happened")
    assert [event["level"] for event in written.events()] == ["warning", "error"]


def test_json_line(log_to_pipe: Callable[..., Written]) -> None:
    """Off a terminal an event is one line of JSON: when, how grave and what first, then who and the facts."""
    written = log_to_pipe(format="auto")
    written.logger.info("thing.happened", size_bytes=5, reason="worn")
    (event,) = written.events()
    assert list(event)[:3] == ["timestamp", "level", "event"]
    assert {"level": "info", "event": "thing.happened", "size_bytes": 5, "reason": "worn"}.items() <= event.items()
    assert FACTS.items() <= event.items()
    when = datetime.fromisoformat(event["timestamp"])
    assert when.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)


@pytest.mark.parametrize("value", ["\udcff", "a\nb", "\x1b[2J", {1, 2}], ids=repr)
@pytest.mark.parametrize("form", ["json", "console"])
def test_any_value_is_one_line(log_to_pipe: Callable[..., Written], form: Format, value: object) -> None:
    """Whatever a field holds, such as a path that is not UTF-8, is logged on one line, and commands no terminal."""
    written = log_to_pipe(format=form)
    written.logger.info("thing.happened", value=value)
    raw = written.raw()
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    assert ESCAPE not in raw


@pytest.mark.parametrize("form", ["json", "console"])
def test_long_exception(log_to_pipe: Callable[..., Written], form: Format) -> None:
    """An exception is one line that a pipe takes whole, with both its ends, without variables: they hold any bytes.

    On the console its message, which may be a peer's bytes, commands no terminal.
    """
    written = log_to_pipe(format=form)

    def fail(depth: int, secret: str = "hush") -> None:
        if depth and secret:
            try:
                fail(depth - 1)
            except ValueError as error:
                raise ValueError(f"at {depth} \x1b[2J " + "x" * 5000) from error
        raise ValueError("first \x9b\u202e")

    try:
        fail(10)
    except ValueError:
        written.logger.exception("thing.failed")
    raw = written.raw()
    assert len(raw) <= select.PIPE_BUF
    assert raw.endswith(b"\n")
    assert b"thing.failed" in raw
    assert ESCAPE not in raw
    assert b"hush" not in raw
    if form == "json":
        exception = json.loads(raw)["exception"]
        assert exception[0]["exc_value"].startswith("at 10 \x1b[2J x")
        assert exception[-1]["exc_value"] == "first \x9b\u202e"
    else:
        assert rb"ValueError: first \x9b\u202e" in raw


def test_console(log_to_terminal: Callable[..., Written], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal lines are for people: coloured if that works, and without what is the same on every line."""
    written = log_to_terminal(format="auto")
    written.logger.warning("thing.happened", size_bytes=5)
    line = written.raw()
    assert ESCAPE in line
    assert b"\x1b[33m" not in line, "yellow cannot be read on white"
    assert b"thing.happened" in line
    assert b"size_bytes" in line
    assert b"worker" in line
    assert b"a-service" not in line
    assert b"1.2.3" not in line
    for variable, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as without_colour:
            without_colour.setenv(variable, value)
            plain = log_to_terminal(format="console")
            plain.logger.warning("thing.happened", sizes=[1, 20], outcomes={"ok": 3}, offset=None, gone=[])
            line = plain.raw()
            assert ESCAPE not in line
            assert b"outcomes='ok 3' sizes='1, 20' worker=" in line
            assert b"None" not in line
            assert b"gone" not in line


@given(st.binary(max_size=100))
def test_excerpt(data: bytes) -> None:
    """Received bytes stand in a log in printable ASCII, cut, and what stands there can be read back."""
    shown = excerpt(data)
    cut: Literal["", "…"] = "…" if len(data) > 32 else ""
    assert shown.endswith(cut)
    escaped = shown.removesuffix("…")
    assert escaped.isascii()
    assert escaped.isprintable()
    assert data[:32] == escaped.encode().decode("unicode_escape").encode("latin-1")


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """A library's logger; in the end the standard library's logging is as it was."""
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    monkeypatch.setattr(root, "level", root.level)
    return logging.getLogger("a.library")


def test_libraries(
    log_to_pipe: Callable[..., Written], library: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warnings of libraries are events, errors without a traceback; a library that says too much is cut short."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    written = log_to_pipe()
    written.log.relay_libraries()
    library.info("chatter")
    for _ in range(RELAY_LINES + 7):
        library.warning("%s of %s", "three", "four")
    try:
        int("no number")
    except ValueError:
        logging.getLogger("another.library").exception("failed")
    now = RELAY_SECONDS
    for _ in range(RELAY_LINES + 2):
        library.warning("chatter")
    first, *events = written.events()
    assert first["message"] == "three of four"
    failed = events[RELAY_LINES - 1]
    assert (failed["message"], "exception" in failed) == ("failed", False)
    assert failed["error"].startswith("ValueError(")
    found = [tuple(event.get(key) for key in ("event", "library", "events")) for event in events]
    assert found == [
        *[("library.warning", "a.library", None)] * (RELAY_LINES - 1),
        ("library.warning", "another.library", None),
        ("library.suppressed", "a.library", 7),
        *[("library.warning", "a.library", None)] * RELAY_LINES,
        ("library.suppressed", "a.library", 2),
    ]
