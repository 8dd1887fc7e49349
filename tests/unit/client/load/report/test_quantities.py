"""Figures as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.load.report.quantities import bytes_text, clock_text, count_text, rate_text, share_text, time_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (math.nan, "-"),
        (0.0, "0.00 µs"),
        (1e-6, "1.00 µs"),
        (0.000_126, "126 µs"),
        (0.000_999_4, "999 µs"),
        (0.000_999_6, "1.00 ms"),
        (0.009_994, "9.99 ms"),
        (0.009_996, "10.0 ms"),
        (0.099_96, "100 ms"),
        (0.999_6, "1.00 s"),
        (900.0, "900 s"),
    ],
)
def test_time(seconds: float | None, text: str) -> None:
    """A time has three figures, also where it is rounded up to the next unit."""
    assert text == time_text(seconds)


@given(st.floats(1e-6, 999.0))
def test_time_is_short_and_true(seconds: float) -> None:
    """Whatever the time, its text fits a column and is right to half of its last figure."""
    number, unit = time_text(seconds).split()
    assert len(number) <= 4
    assert float(number) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit] == pytest.approx(seconds, rel=0.0051)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0:00"), (0.2, "0:01"), (59.0, "0:59"), (61.0, "1:01"), (3599.5, "1:00:00"), (90061.0, "25:01:01")],
)
def test_clock(seconds: float, text: str) -> None:
    """What is left is told as a clock does, and is 0:00 only when nothing is left."""
    assert text == clock_text(seconds)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.0, "0"), (0.001, "0.001"), (2.0, "2"), (99.94, "99.9"), (99.96, "100"), (1234.5, "1,234"), (1e6, "1,000,000")],
)
def test_rate(rate: float, text: str) -> None:
    """A rate has as many figures as matter, and its thousands set apart."""
    assert text == rate_text(rate)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(0, "0 B"), (64, "64 B"), (1023, "1,023 B"), (1024, "1 KiB"), (1023 * 1024, "1,023 KiB"), (1 << 40, "1,024 GiB")],
)
def test_bytes(nbytes: float, text: str) -> None:
    """Bytes have the unit that suits them, and never an exponent."""
    assert text == bytes_text(nbytes)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (1e-9, "<0.0001%"), (0.001, "0.1%"), (0.022597, "2.2597%"), (0.1, "10%"), (1.0, "100%")],
)
def test_share(share: float, text: str) -> None:
    """A share is 0% only where it is nothing."""
    assert text == share_text(share)


def test_count() -> None:
    """One is singular."""
    assert [count_text(count, "send") for count in (0, 1, 2000)] == ["0 sends", "1 send", "2,000 sends"]
