"""How long a line of a log may be, and how it is cut to that."""

import select
from collections.abc import Callable, Mapping
from typing import Any

# A write of at most PIPE_BUF bytes to a pipe is atomic (pipe(7)), so lines of several processes never interleave.
MOST_BYTES = select.PIPE_BUF
_ATTEMPTS = ((512, 16), (128, 8), (32, 4))  # characters of each text, and items of each list
_ALWAYS = ("timestamp", "level", "event", "service", "version", "worker")


def cut(event: Mapping[str, Any], render: Callable[[Any], bytes]) -> bytes:
    """Return an event whose line is too long as a line that is not, with `truncated` in it.

    Texts keep their beginning, lists (such as the frames of a traceback) their beginning and end. An event of which
    even that is too long keeps its name only, and what every line has.
    """
    for characters, items in _ATTEMPTS:
        line = render({**_cut(event, characters, items), "truncated": True})
        if len(line) <= MOST_BYTES:
            return line
    named = {key: event[key] for key in _ALWAYS if key in event}
    return render({**_cut(named, *_ATTEMPTS[1]), "truncated": True})


def cut_text(line: str) -> bytes:
    """Return a text for people, which ends with a newline, with its beginning and end only if it is too long."""
    encoded = line.encode(errors="backslashreplace")
    if len(encoded) <= MOST_BYTES:
        return encoded
    half = MOST_BYTES // 2 - 8
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
