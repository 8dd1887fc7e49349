"""Durations and sizes."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.options.quantities import Duration, Size

DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZE_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@given(st.integers(1, 8000), st.sampled_from([*DURATION_UNITS]))
def test_duration(number: int, unit: str) -> None:
    """A duration is a number and its unit, in seconds."""
    assert pytest.approx(number * DURATION_UNITS[unit]) == Duration().convert(f"{number}{unit}", None, None)


@given(st.floats(0.01, 1e6).map(lambda seconds: round(seconds, 3)))
def test_duration_with_a_fraction(seconds: float) -> None:
    """A duration may have a fraction, and one that was parsed already stays as it is."""
    parsed = Duration().convert(f"{seconds:.3f}s", None, None)
    assert seconds == parsed == Duration().convert(parsed, None, None)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "0",
        "0s",
        "0ms",
        "5",
        "s",
        "5 s",
        "-5s",
        "5d",
        "1e3s",
        ".5s",
        "5.s",
        "inf",
        "nan",
        "9999h",
        "9" * 400 + "s",
        "0.0009ms",
        "\N{ARABIC-INDIC DIGIT THREE}s",
        "0." + "0" * 400 + "1s",
    ],
)
def test_no_duration(wrong: str) -> None:
    """What is no duration, or none that lasts, is refused with an example of what is wanted."""
    with pytest.raises(click.BadParameter, match="is not a duration such as 250ms, 10s or 2m"):
        Duration().convert(wrong, None, None)


def test_duration_of_zero() -> None:
    """Where 0 switches something off, it needs no unit, and may have one."""
    for zero in ("0", "0s", "0ms", "0.0m"):
        assert Duration(zero=True).convert(zero, None, None) == 0.0
    assert Duration(zero=True).convert("5s", None, None) == 5.0
    for wrong in ("", "00", "off", "-0", "0.0009ms"):
        with pytest.raises(click.BadParameter, match="not a duration"):
            Duration(zero=True).convert(wrong, None, None)


@given(st.integers(0, 10**6), st.sampled_from([*SIZE_UNITS]))
def test_size(number: int, unit: str) -> None:
    """A size is a number and its unit, in bytes, and one that was parsed already stays as it is."""
    size = Size().convert(f"{number}{unit}", None, None)
    assert number * SIZE_UNITS[unit] == size == Size().convert(size, None, None)


@pytest.mark.parametrize("wrong", ["", "KiB", "1KB", "1kib", "1 KiB", "-1", "1.5KiB", "0x10", "9" * 5000])
def test_no_size(wrong: str) -> None:
    """What is no size is refused with an example of what is wanted."""
    with pytest.raises(click.BadParameter, match="not a size such as 64, 64KiB or 1MiB"):
        Size().convert(wrong, None, None)
