"""JSON of whatever a value is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.encoding import encode

# A string may hold what is no Unicode: bytes of a path that are not UTF-8.
texts = st.text(st.characters(exclude_categories=[]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=10,
)


@given(plain, st.booleans())
def test_round_trip(value: Any, indent: bool) -> None:  # noqa: FBT001
    """Plain data can be read back, whatever its strings hold."""
    value = None if value in (float("inf"), float("-inf")) else value
    assert _finite(value) == _finite(json.loads(encode(value, indent=indent)))


def _finite(value: Any) -> Any:
    """Return a value with what JSON has no number for left out."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if value in (float("inf"), float("-inf")) else value


@given(plain)
def test_one_line(value: Any) -> None:
    """Without indentation it is one line, with its end."""
    encoded = encode(value)
    assert encoded.count(b"\n") == 1
    assert encoded.endswith(b"\n")


@pytest.mark.parametrize("value", [{3}, b"\xff", ValueError("broken"), object], ids=repr)
@pytest.mark.parametrize("beside", ["plain", "\udcff"], ids=ascii)
def test_anything_else_is_text(value: object, beside: str) -> None:
    """What JSON has no form for is written as its text, also beside a string that is no Unicode."""
    assert json.loads(encode([value, beside])) == [str(value), beside]
