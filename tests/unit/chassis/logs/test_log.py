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

from stentor_chassis.logs.log import RELAY_LINES, RELAY_SECONDS, Format, Level, Log, LogOptions, excerpt

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


@pytest.mark.parametrize("form", ["auto", "json"])
def test_json_line(log_to_pipe: Callable[..., Written], form: Format) -> None:
    """Off a terminal an event is one line of JSON: when, how grave and what first, then who and the facts."""
    written = log_to_pipe(format=form)
    written.logger.info("thing.happened", size_bytes=5, reason="worn")
    (event,) = written.events()
    assert list(event)[:3] == ["timestamp", "level", "event"]
    assert {"level": "info", "event": "thing.happened", "size_bytes": 5, "reason": "worn"}.items() <= event.items()
    assert FACTS.items() <= event.items()
    when = datetime.fromisoformat(event["timestamp"])
    assert when.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - when) < timedelta(minutes=1)


@pytest.mark.parametrize("least", ["debug", "info", "warning", "error"])
def test_level(log_to_pipe: Callable[..., Written], least: Level) -> None:
    """What is less grave than the level is not logged."""
    levels = ["debug", "info", "warning", "error"]
    written = log_to_pipe(level=least)
    for level in levels:
        getattr(written.logger, level)("thing.happened")
    assert levels[levels.index(least) :] == [event["level"] for event in written.events()]


def test_exception(log_to_pipe: Callable[..., Written]) -> None:
    """An exception is logged as data on the same line, without the values of variables: they may be anybody's bytes."""
    written = log_to_pipe()
    secret = "hush"
    try:
        int(secret, 36) // 0
    except ZeroDivisionError:
        written.logger.exception("thing.failed")
    (line,) = written.raw().splitlines()
    assert b"hush" not in line
    (trace,) = json.loads(line)["exception"]
    assert (trace["exc_type"], trace["exc_value"]) == ("ZeroDivisionError", "integer division or modulo by zero")


@pytest.mark.parametrize("value", ["\udcff", "a\nb", "é✓", {1, 2}, b"\xff", ValueError("x")], ids=repr)
@pytest.mark.parametrize("form", ["json", "console"])
def test_any_value_is_one_line(log_to_pipe: Callable[..., Written], form: Format, value: object) -> None:
    """Whatever a field holds, such as a path that is not UTF-8, it is logged, and on one line."""
    written = log_to_pipe(format=form)
    written.logger.info("thing.happened", value=value)
    raw = written.raw()
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")


@pytest.mark.parametrize("form", ["json", "console"])
def test_long_exception(log_to_pipe: Callable[..., Written], form: Format) -> None:
    """However long an exception is, its line is one that a pipe takes in one piece, and holds both ends of it."""
    written = log_to_pipe(format=form)

    def fail(depth: int) -> None:
        if depth:
            try:
                fail(depth - 1)
            except ValueError as error:
                raise ValueError(f"at {depth} " + "x" * 5000) from error
        raise ValueError("first")

    try:
        fail(10)
    except ValueError:
        written.logger.exception("thing.failed")
    raw = written.raw()
    assert len(raw) <= select.PIPE_BUF
    assert raw.endswith(b"\n")
    assert b"thing.failed" in raw
    if form == "json":
        exception = json.loads(raw)["exception"]
        assert exception[0]["exc_value"].startswith("at 10 x")
        assert exception[-1]["exc_value"] == "first"


def test_nothing_commands_the_terminal(log_to_pipe: Callable[..., Written]) -> None:
    """What a field holds is shown as text."""
    written = log_to_pipe(format="console")
    written.logger.info("thing.happened", value="\x1b[2J")
    assert ESCAPE not in written.raw()


def test_console(log_to_terminal: Callable[..., Written]) -> None:
    """On a terminal lines are for people: coloured, and without what is the same on every line."""
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


def test_console_without_colour(log_to_terminal: Callable[..., Written], monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR is respected."""
    monkeypatch.setenv("NO_COLOR", "1")
    written = log_to_terminal(format="console")
    written.logger.warning("thing.happened")
    line = written.raw()
    assert b"thing.happened" in line
    assert ESCAPE not in line


def test_json_on_a_terminal(log_to_terminal: Callable[..., Written]) -> None:
    """Who asks for JSON gets it on a terminal too."""
    written = log_to_terminal(format="json")
    written.logger.info("thing.happened")
    assert [event["event"] for event in written.events()] == ["thing.happened"]


def test_console_exception(log_to_pipe: Callable[..., Written]) -> None:
    """On the console an exception is shown, but its message, which may be a peer's bytes, commands no terminal."""
    written = log_to_pipe(format="console")
    local = "a peer's bytes"

    def fail() -> None:
        raise ValueError(local[:1] + "\x1b[2J\x9b\u202e")

    try:
        fail()
    except ValueError:
        written.logger.exception("thing.failed")
    shown = written.raw()
    assert rb"ValueError: a\x1b[2J\x9b\u202e" in shown
    assert ESCAPE not in shown
    assert local.encode() not in shown


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """A library's logger; in the end the standard library's logging is as it was."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield logging.getLogger("a.library")
    for handler in [*root.handlers]:
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def test_libraries_are_relayed(log_to_pipe: Callable[..., Written], library: logging.Logger) -> None:
    """What libraries warn of is an event of ours, with the error named, and without a traceback."""
    written = log_to_pipe()
    written.log.relay_libraries()
    library.info("chatter")
    library.warning("%s of %s", "three", "four")
    try:
        int("no number")
    except ValueError:
        library.exception("failed")
    plain, failed = written.events()
    assert {"event": "library.warning", "library": "a.library", "message": "three of four"}.items() <= plain.items()
    assert failed["message"] == "failed"
    assert failed["error"].startswith("ValueError(")
    assert "exception" not in failed


def test_libraries_are_limited(
    log_to_pipe: Callable[..., Written], library: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that says too much is cut short, another is not, and how much was left out is logged in the end."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    written = log_to_pipe()
    written.log.relay_libraries()
    for _ in range(RELAY_LINES + 7):
        library.warning("chatter")
    logging.getLogger("another.library").warning("news")
    now = RELAY_SECONDS
    for _ in range(RELAY_LINES + 2):
        library.warning("chatter")
    found = [(event["event"], event["library"], event.get("events")) for event in written.events()]
    chatter = [("library.warning", "a.library", None)] * RELAY_LINES
    assert found == [
        *chatter,
        ("library.warning", "another.library", None),
        ("library.suppressed", "a.library", 7),
        *chatter,
        ("library.suppressed", "a.library", 2),
    ]


def test_drops_are_told() -> None:
    """Lines that cannot be written are told to who counts them."""
    read, write = os.pipe()
    os.close(read)
    told: list[int] = []
    log = Log(LogOptions(level="info", format="json", fd=write), service="a-service", version="1", on_drop=told.append)
    log.logger.info("thing.happened")
    log.flush()
    os.close(write)
    assert sum(told) == 1


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
