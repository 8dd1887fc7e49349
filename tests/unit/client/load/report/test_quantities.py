"""Numbers as people read them."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.load.report.quantities import bytes_text, count_text, rate_text, share_text, time_text


@pytest.mark.parametrize(
    ("text", "cases"),
    [
        (time_text, {None: "-", math.nan: "-", 0.0: "0.00 µs", 0.000_999_6: "1.00 ms", 0.009_996: "10.0 ms"}),
        (time_text, {0.000_999_4: "999 µs", 0.099_96: "100 ms", 0.999_6: "1.00 s", 900.0: "900 s"}),
        (rate_text, {0.0: "0", 0.001: "0.001", 99.94: "99.9", 99.96: "100", 1e6: "1,000,000"}),
        (bytes_text, {0: "0 B", 1023: "1,023 B", 1024: "1 KiB", 1023 * 1024: "1,023 KiB", 1 << 40: "1,024 GiB"}),
        (share_text, {0.0: "0%", 1e-9: "<0.0001%", 0.001: "0.1%", 0.022597: "2.2597%", 0.1: "10%", 1.0: "100%"}),
        (lambda count: count_text(count, "send"), {0: "0 sends", 1: "1 send", 2000: "2,000 sends"}),
    ],
)
def test_text(text: Callable[[Any], str], cases: dict[Any, str]) -> None:
    """A number has the figures that matter, also if it is rounded up to the next unit."""
    assert {value: text(value) for value in cases} == cases


@given(st.floats(1e-6, 999.0))
def test_time_is_short_and_true(seconds: float) -> None:
    """The text of any time fits a column and is right to half of its last figure."""
    number, unit = time_text(seconds).split()
    assert len(number) <= 4
    assert float(number) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit] == pytest.approx(seconds, rel=0.0051)
