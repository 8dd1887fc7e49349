"""Lines of bounded length."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from stentor_chassis.encoding import encode
from stentor_chassis.logs.bounds import MAX_BYTES, cut, cut_text

TEXTS = st.builds(lambda text, times: text * times, st.text(min_size=1), st.integers(1, 2000))
VALUES = st.recursive(
    TEXTS | st.integers() | st.none() | st.binary(),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(TEXTS, each, max_size=4),
    max_leaves=10,
)


@given(facts=st.dictionaries(st.text(), VALUES, max_size=20))
@example({"version": {"k" * 5000: 1}})
@example(dict.fromkeys(("timestamp", "level", "service", "version", "worker"), "\x01" * 5000))
def test_any_event_fits(facts: dict[str, Any]) -> None:
    """Whatever an event holds, what is left of it is a line of JSON that a pipe takes in one piece."""
    line = cut({**facts, "event": "thing.happened"}, encode)
    assert len(line) <= MAX_BYTES
    event = json.loads(line)
    assert (event["event"], event["truncated"]) == ("thing.happened", True)


def test_beginnings_are_kept() -> None:
    """Texts keep their beginning, lists both ends, and all else stays as it is."""
    event = {"event": "thing.happened", "size": 5, "text": "x" * 9000, "items": [{"n": n} for n in range(1000)]}
    kept = json.loads(cut(event, encode))
    assert kept["text"] == "x" * 512 + "…"
    assert [each["n"] for each in kept["items"]] == [*range(8), *range(992, 1000)]
    assert kept["size"] == 5


@given(TEXTS)
def test_text(text: str) -> None:
    """A text for people that is too long keeps its beginning and its end."""
    line = cut_text(f"{text}\n")
    whole = f"{text}\n".encode(errors="backslashreplace")
    assert len(line) <= MAX_BYTES
    assert line.endswith(b"\n")
    assert line == whole or (whole.startswith(line[:2000]) and whole.endswith(line[-2000:]))
