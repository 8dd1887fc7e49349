"""Durations and sizes."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_chassis.options.quantities import Duration, Size

DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SIZE_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@given(st.floats(0.01, 8000).map(lambda number: round(number, 3)), st.sampled_from([*DURATION_UNITS]))
def test_duration(number: float, unit: str) -> None:
    """A duration is a number, which may have a fraction, and a unit; a parsed one stays as it is."""
    parsed = Duration().convert(f"{number:.3f}{unit}", None, None)
    assert pytest.approx(number * DURATION_UNITS[unit]) == parsed == Duration().convert(parsed, None, None)


@pytest.mark.parametrize("wrong", ["0s", "5", "-5s", "1e3s", "9999h", "9" * 400 + "s", "0.0009ms", "٣s"])
def test_no_duration(wrong: str) -> None:
    """Anything else, and a duration that is too short or too long, is refused with an example."""
    with pytest.raises(click.BadParameter, match="is not a duration such as 250ms, 10s or 2m"):
        Duration().convert(wrong, None, None)


def test_duration_of_zero() -> None:
    """If 0 is allowed, it needs no unit."""
    assert [Duration(zero=True).convert(zero, None, None) for zero in ("0", "0s", "0.0m", "5s")] == [0, 0, 0, 5]
    for wrong in ("", "00", "off", "-0", "0.0009ms"):
        with pytest.raises(click.BadParameter, match="not a duration"):
            Duration(zero=True).convert(wrong, None, None)


@given(st.integers(0, 10**6), st.sampled_from([*SIZE_UNITS]))
def test_size(number: int, unit: str) -> None:
    """A size is a number of bytes and a unit; a parsed one stays as it is."""
    size = Size().convert(f"{number}{unit}", None, None)
    assert number * SIZE_UNITS[unit] == size == Size().convert(size, None, None)


@pytest.mark.parametrize("wrong", ["", "KiB", "1KB", "1kib", "1 KiB", "-1", "1.5KiB", "0x10", "9" * 5000])
def test_no_size(wrong: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(click.BadParameter, match="not a size such as 64, 64KiB or 1MiB"):
        Size().convert(wrong, None, None)
