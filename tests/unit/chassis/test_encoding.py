"""JSON for values of any type."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.encoding import encode

texts = st.text(st.characters(exclude_categories=[]))  # with surrogates, as from a path that is not UTF-8
floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | floats | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=10,
)


@given(plain)
def test_round_trip(value: Any) -> None:
    """Plain data can be read back, whatever its strings contain; without indentation it is one line."""
    assert value == json.loads(encode(value)) == json.loads(encode(value, indent=True))
    assert encode(value).count(b"\n") == 1
    assert encode(value).endswith(b"\n")
    assert encode([value], indent=True).count(b"\n") > 1


@pytest.mark.parametrize("value", [{3}, b"\xff", ValueError("broken"), object], ids=repr)
@pytest.mark.parametrize("beside", ["plain", "\udcff"], ids=ascii)
def test_anything_else_is_text(value: object, beside: str) -> None:
    """A value without a JSON form is written as its text, also beside a string with surrogates."""
    assert json.loads(encode([value, beside])) == [str(value), beside]
