"""Axes for times and rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stentor_client.load.report.scale import MOST_STEPS, MOST_TICKS, even_ticks, rate_scale, time_scale


def _axes() -> Axes:
    return Figure().add_subplot()


def _labels(axes: Axes) -> list[str]:
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    return [label.get_text() for label in axes.get_yticklabels()]


@given(st.floats(1e-6, 1e6))
def test_even_ticks(most: float) -> None:
    """Ticks begin at 0, are even, few, and reach what they must show without leaving half of the axis empty."""
    ticks = even_ticks(most)
    assert ticks[0] == 0
    assert most <= ticks[-1] * (1 + 1e-9)
    assert ticks[-2] < most
    assert len(ticks) <= MOST_STEPS + 1


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        ([0.0004, 0.0011], ["0", "0.2 ms", "0.4 ms", "0.6 ms", "0.8 ms", "1 ms", "1.2 ms"]),
        ([0.00005], ["0", "10 µs", "20 µs", "30 µs", "40 µs", "50 µs"]),
        ([0.001, 0.05], ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]),
        ([0.00015, 2.1], ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]),
        ([], ["0", "0.2 ms", "0.4 ms", "0.6 ms", "0.8 ms", "1 ms"]),
    ],
)
def test_times(seconds: list[float], labels: list[str]) -> None:
    """Times near each other stand on a scale from 0 in one unit; far from each other on a logarithmic one."""
    axes = _axes()
    time_scale(axes.yaxis, seconds)
    found = _labels(axes)
    assert len(found) <= MOST_TICKS
    assert labels == found


@given(st.lists(st.floats(1e-6, 900.0), min_size=1), st.integers(4, 9))
def test_every_time_is_on_the_axis(seconds: list[float], most_ticks: int) -> None:
    """Whatever the times, the axis holds them all."""
    axes = _axes()
    time_scale(axes.yaxis, seconds, most_ticks)
    low, high = axes.get_ylim()
    assert low <= min(seconds) * (1 + 1e-9)
    assert max(seconds) <= high * (1 + 1e-9)
    assert (axes.get_yscale() == "log") == (max(seconds) >= 20 * min(seconds))


def test_rates() -> None:
    """Rates stand on a scale from 0, with their thousands set apart."""
    axes = _axes()
    rate_scale(axes.yaxis, [4500.0])
    axes.set_ylim(0, 5000)
    assert _labels(axes) == ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]
