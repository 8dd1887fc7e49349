"""Text from outside."""

import pytest

from stentor_chassis.escaping import escaped


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Grüße, 日本 \\ $x_{$", "Grüße, 日本 \\ $x_{$"),
        ("\x1b[2J\x07\r\x00\x7f\x9b6n", r"\x1b[2J\x07\r\x00\x7f\x9b6n"),
        ("a\n\tb", "a\n\\tb"),
        ("\u202eevil\u2028\udcff", r"\u202eevil\u2028\udcff"),
    ],
)
def test_escaped(text: str, expected: str) -> None:
    """What can be seen stays as it is; all else is written out, unless it may pass."""
    assert escaped(text, passing="\n") == expected
    assert escaped(text).isprintable()
