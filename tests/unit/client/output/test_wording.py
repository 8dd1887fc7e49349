"""Numbers, sizes and times in words."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client.output import wording


@pytest.mark.parametrize(
    ("text", "cases"),
    [
        (wording.size, {0: "0 B", 1460: "1460 B", 1024: "1 KiB", 1025: "1025 B", 1 << 24: "16 MiB"}),
        (wording.duration, {0.25: "0.25 s", 90.0: "90 s", 60: "1 min", 7200: "2 h"}),
        (wording.percent, {-0.0001: "under 0.001 %", -1.5: "-1.5 %", 130: "+130 %", 9000: "+9,000 %"}),
        (wording.number, {1234: "1,234", 10.5: "10.500"}),
        (partial(wording.number, sign="+"), {10.5: "+10.500", -3: "-3"}),
        (partial(wording.counted, noun="byte"), {1: "1 byte", 1200: "1,200 bytes"}),
        (wording.milliseconds, {1_234_567_890: "1,234.568 ms"}),
        (lambda words: wording.listed([*words]), {"": "", "a": "a", "ab": "a and b", "abc": "a, b and c"}),
        (wording.elapsed, {None: "-", math.nan: "-", 0.0: "0.00 µs", 0.000_999_6: "1.00 ms", 0.009_996: "10.0 ms"}),
        (wording.elapsed, {0.000_999_4: "999 µs", 0.099_96: "100 ms", 0.999_6: "1.00 s", 900.0: "900 s"}),
        (wording.rate, {0.0: "0", 0.001: "0.001", 99.94: "99.9", 99.96: "100", 1e6: "1,000,000"}),
        (
            wording.rounded_size,
            {0: "0 B", 1023: "1,023 B", 1024: "1 KiB", 1023 * 1024: "1,023 KiB", 1 << 40: "1,024 GiB"},
        ),
        (
            wording.share,
            {
                0.0: "0 %",
                1e-9: "<0.0001 %",
                0.022597: "2.26 %",
                0.99996: "99.996 %",
                1 - 1e-9: ">99.9999 %",
                1.0: "100 %",
            },
        ),
    ],
)
def test_text(text: Callable[[Any], str], cases: dict[Any, str]) -> None:
    """A number has the figures that matter and a suitable unit, also if it is rounded up to the next one."""
    assert {value: text(value) for value in cases} == cases


@given(st.floats(1e-6, 999.0))
def test_time_is_short_and_true(seconds: float) -> None:
    """The text of any time fits a column and is right to half of its last figure."""
    number, unit = wording.elapsed(seconds).split()
    assert len(number) <= 4
    assert float(number) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6}[unit] == pytest.approx(seconds, rel=0.0051)
