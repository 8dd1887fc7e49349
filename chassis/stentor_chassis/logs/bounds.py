"""The maximum length of a log line, and how longer lines are truncated."""

import select
from collections.abc import Callable, Mapping
from typing import Any

# A write of at most PIPE_BUF bytes to a pipe is atomic (pipe(7)), so lines of several processes never interleave.
MAX_BYTES = select.PIPE_BUF
_ATTEMPTS = ((512, 16), (128, 8), (32, 4))  # maximum characters of each text, and items of each list
_LEAST = 64  # maximum characters of each of these, even if all are escaped
_ALWAYS = ("timestamp", "level", "event", "service", "version", "worker")


def cut(event: Mapping[str, Any], render: Callable[[Any], bytes]) -> bytes:
    """Return a short enough line for an event that is too long, with `truncated` in it.

    Texts keep their beginning, lists (such as the frames of a traceback) their beginning and end. If the line is still
    too long, only the keys that every line has are kept.
    """
    for characters, items in _ATTEMPTS:
        line = render({**_cut(event, characters, items), "truncated": True})
        if len(line) <= MAX_BYTES:
            return line
    common = {key: event[key] for key in _ALWAYS if key in event}
    plain = {key: value if value is None or isinstance(value, int) else str(value) for key, value in common.items()}
    return render({**_cut(plain, _LEAST, 1), "truncated": True})


def cut_text(line: str) -> bytes:
    """Return a console line, which ends with a newline; if it is too long, only its beginning and end."""
    encoded = line.encode(errors="backslashreplace")
    if len(encoded) <= MAX_BYTES:
        return encoded
    half = MAX_BYTES // 2 - 8
    beginning, end = (part.decode(errors="ignore") for part in (encoded[:half], encoded[-half:]))
    return f"{beginning} [...] {end}".encode()


def _cut(value: Any, characters: int, items: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _cut(each, characters, items) for key, each in value.items()}
    if isinstance(value, list | tuple):
        kept = [*value[: items // 2], *value[-items // 2 :]] if len(value) > items else value
        return [_cut(each, characters, items) for each in kept]
    text = str(value)
    return text if len(text) <= characters else f"{text[:characters]}…"
