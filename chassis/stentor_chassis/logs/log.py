"""Structured logging, configured in one place."""

import logging
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TextIO, get_args

import structlog

from stentor_chassis.counters.histogram import NANOSECONDS, Slots
from stentor_chassis.encoding import encode
from stentor_chassis.escaping import escaped
from stentor_chassis.logs.bounds import MAX_BYTES, cut, cut_text
from stentor_chassis.logs.sink import Sink

Logger = structlog.typing.FilteringBoundLogger
SILENT: Logger = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger("critical"))
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

FLUSH_SECONDS = 1.0  # at exit, a blocked output must not keep the process
RELAY_SECONDS = 10.0
RELAY_LINES = 10  # from each library per RELAY_SECONDS, because peers can provoke many
_FIRST = ("timestamp", "level", "event")  # bound first, because keys keep their order
_LEVELS: tuple[str, ...] = get_args(Level)  # each is a method of loggers, which the other methods call
_MAGENTA = "\x1b[35m"  # the library's yellow is unreadable on white
_EXCERPT_BYTES = 32  # maximum of received bytes in a log line


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """How every process of a service logs; `fd` is 1 for the server, 2 for the client, which prints replies to 1."""

    level: Level
    format: Format
    fd: int


class Log:
    """A process's logger, and the sink behind it."""

    def __init__(
        self,
        options: LogOptions,
        *,
        service: str,
        version: str,
        worker: int | None = None,
        dropped: Slots | None = None,
        waiting: Slots | None = None,
    ) -> None:
        """Start logging; every line has service, version and worker (`None` in the control process)."""
        terminal = os.isatty(options.fd)
        console = options.format == "console" or (options.format == "auto" and terminal)
        wrapper = structlog.make_filtering_bound_logger(options.level)
        if console:
            processors: list[Any] = [
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _ConsoleLine(colors=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"),
            ]
        else:
            processors = [_JsonLine()]
            wrapper = _direct(wrapper, options.level)
        self._relay: _Relay | None = None
        self._sink = Sink(options.fd, dropped=dropped, waiting=waiting)
        self.logger: Logger = structlog.wrap_logger(
            self._sink,
            processors=processors,
            wrapper_class=wrapper,
        ).bind(**dict.fromkeys(_FIRST), service=service, version=version, worker=worker)

    def relay_libraries(self) -> None:
        """Log warnings and errors from the standard library's logging, without tracebacks."""
        self._relay = _Relay(self.logger)
        logging.basicConfig(handlers=[self._relay], level=logging.WARNING, force=True)

    def flush(self) -> None:
        """Write queued lines before the process exits."""
        if self._relay is not None:
            self._relay.close()
        self._sink.flush(FLUSH_SECONDS)


def _direct(wrapper: type[Any], level: Level) -> type[Any]:
    """Return the wrapper class with methods that call the only processor directly.

    The library's own methods, which support any chain of processors, are a quarter of the cost of a line.
    """

    def method(name: str) -> Callable[..., None]:
        def log(self: Any, event: str, **fields: object) -> None:
            self._logger.msg(self._processors[0](self._logger, name, {**self._context, "event": event, **fields}))

        return log

    return type("Direct", (wrapper,), {name: method(name) for name in _LEVELS[_LEVELS.index(level) :]})


class _Relay(logging.Handler):
    """Logs each record as one event, up to a limit.

    An exception, mostly caused by data from a peer, is named without its traceback.
    """

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger
        self._recent: dict[str, _Recent] = {}  # by library

    def emit(self, record: logging.LogRecord) -> None:
        recent = self._recent.setdefault(record.name, _Recent())
        now = time.monotonic()
        if now - recent.since >= RELAY_SECONDS:
            self._report_suppressed(record.name, recent)
            recent.since, recent.lines = now, 0
        recent.lines += 1
        if recent.lines > RELAY_LINES:
            return
        error = record.exc_info[1] if record.exc_info else None
        self._logger.warning(
            "library.warning", library=record.name, message=record.getMessage(), error=repr(error) if error else None
        )

    def close(self) -> None:
        """Report suppressed events that are not reported yet."""
        for library, recent in self._recent.items():
            self._report_suppressed(library, recent)
        super().close()

    def _report_suppressed(self, library: str, recent: "_Recent") -> None:
        if recent.lines > RELAY_LINES:
            self._logger.warning("library.suppressed", library=library, events=recent.lines - RELAY_LINES)
        recent.lines = 0


@dataclass(slots=True)
class _Recent:
    """How many lines a library has logged since a point in time."""

    since: float = float("-inf")
    lines: int = 0


def excerpt(data: bytes) -> str:
    """Return received bytes for a log line: escaped and truncated."""
    text = data[:_EXCERPT_BYTES].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text + ("…" if len(data) > _EXCERPT_BYTES else "")


class _JsonLine:
    """Renders JSON. There is a line for every connection, so the date is formatted only once a second."""

    def __init__(self) -> None:
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # locals may contain bytes from peers
        self._render_exception = structlog.processors.ExceptionRenderer(frames)
        self._second = -1
        self._date = ""

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> bytes:
        if "exc_info" in event:
            event = self._render_exception(logger, method, event)
        second, nanoseconds = divmod(time.time_ns(), NANOSECONDS)
        if second != self._second:
            self._second = second
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        event["timestamp"] = f"{self._date}.{nanoseconds // 1000:06d}Z"
        event["level"] = method
        line = encode(event)
        return line if len(line) <= MAX_BYTES else cut(event, encode)


class _ConsoleLine:
    """Renders for people, without the keys that are the same on every line, or empty."""

    def __init__(self, *, colors: bool) -> None:
        styles = structlog.dev.ConsoleRenderer.get_default_level_styles(colors)
        if colors:
            styles["warning"] = _MAGENTA
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors, level_styles=styles, pad_event_to=24, exception_formatter=_write_traceback
        )

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> bytes:
        shown = {
            key: plain
            for key, value in event.items()
            if key not in {"service", "version"} and (plain := _plain(value)) not in (None, "")
        }
        return cut_text(f"{self._render(logger, method, shown)}\n")


def _plain(value: Any) -> Any:
    """Return a value as a person writes it."""
    if isinstance(value, Mapping):
        value = [f"{key} {each}" for key, each in value.items()]
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return escaped(value) if isinstance(value, str) else value


def _write_traceback(line: TextIO, error: structlog.typing.ExcInfo) -> None:
    """Write an exception without locals, and with its message escaped: both may be anybody's bytes."""
    line.write("\n" + escaped("".join(traceback.format_exception(*error)).rstrip("\n"), passing="\n"))
