"""A load as pictures."""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from stentor_client.load.report.pictures import COLOURS, Picture, inline_svg, pictures, sheet
from stentor_client.load.report.summary import Summary
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    HOSTILE,
    RAMP,
    Making,
    all_failed,
    counted,
    nothing_at_all,
    ramp_with_knee,
    slices,
    steady,
    summed_up,
)

SVG = "{http://www.w3.org/2000/svg}"


def _drawn(title: str, summary: Summary) -> list[Axes]:
    """Return the axes of a picture."""
    figure = Figure()
    _picture(title, summary).draw(figure, figure.add_gridspec(1, 1)[0], summary)
    return figure.axes


def _picture(title: str, summary: Summary) -> Picture:
    return next(picture for picture in pictures(summary) if picture.title == title)


def _points(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    """Return where the points of each line are, by its label."""
    return {
        str(line.get_label()): (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in axes.get_lines()
    }


def _legend(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def _labels(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize("making", [*EXTREMES, lambda _: steady(HOSTILE)])
def test_sheet_of_any_load(making: Making) -> None:
    """Any load can be drawn, as an SVG that needs no fonts."""
    root = ET.fromstring(sheet(making(RAMP), "svg"))
    assert (root.tag, root.findall(f".//{SVG}text")) == (f"{SVG}svg", [])


def test_png_leaves_no_state_behind() -> None:
    """A PNG is one; pyplot is not loaded, and the library's settings are as before."""
    before = mpl.rcParams.copy()  # reading all of them would choose a backend
    assert sheet(steady(), "png").startswith(b"\x89PNG\r\n\x1a\n")
    assert mpl.rcParams.copy() == before
    assert "matplotlib.pyplot" not in sys.modules


def test_percentiles_are_the_distribution() -> None:
    """The curve passes through the percentiles of the table, and ends at the longest."""
    summary = steady()
    (axes,) = _drawn("Time by percentile", summary)
    longer, seconds = _points(axes)["response time"]
    assert (longer, seconds) == (sorted(longer, reverse=True), sorted(seconds))
    for percent in (50, 90, 99):
        at = max(time for share, time in zip(longer, seconds, strict=True) if share > 1 - percent / 100 + 1e-9)
        assert at == pytest.approx(summary.response_time.percentile(percent), rel=0.011)
    assert seconds[-1] == summary.response_time.most
    assert [label.get_text() for label in axes.get_xticklabels()][:4] == ["p50", "p90", "p99", "p99.9"]
    assert axes.get_xlim() == pytest.approx((1, 0.5 / 1000))
    assert _legend(axes) == ["response time", "service time"]
    assert _legend(_drawn("Time by percentile", steady(CLOSED))[0]) == ["response time"]


def test_slices_without_replies_leave_gaps() -> None:
    """A slice without replies has no point, and no line crosses it."""
    (axes,) = _drawn("Response time over time", summed_up(counted([1.0]), slices((10, 10), (10, 0), (10, 10))))
    _, p50 = _points(axes)["p50"]
    assert np.isnan(p50).tolist() == [False, True, False]


def test_throughput_is_true_to_scale() -> None:
    """Areas begin at 0 and span their slices; the rate that was due is beside them."""
    (axes,) = _drawn("Throughput over time", summed_up(counted([1.0]), slices((10, 10), (4500, 15))))
    area, right, due, _ = (each.get_data() for each in axes.patches if isinstance(each, StepPatch))
    (rates, edges, baseline), (right_rates, *_), (due_rates, *_) = area, right, due
    assert list(rates) == list(right_rates) == [10, 15]
    assert (baseline, list(due_rates), list(edges)) == (0, [10, 4500], [0, 1, 2])
    assert axes.get_ylim() == (0, 5000)
    assert _labels(axes) == ["0", "1,000", "2,000", "3,000", "4,000", "5,000"]
    assert _legend(axes) == ["right replies", "due"]
    assert _legend(_drawn("Throughput over time", steady(CLOSED))[0]) == ["right replies"]


@pytest.mark.parametrize(
    ("failed", "in_slices", "crosses"), [(0, 0, None), (2, 1, [0.5, 1.5]), (1, 0, [2.0]), (5, 1, [0.5, 1.5, 2.0])]
)
def test_failures_are_marked(failed: int, in_slices: int, crosses: list[float] | None) -> None:
    """Every slice with a failure has a cross, however few they are; failures after the end have one there."""
    summary = summed_up(counted([1.0], {Outcome.EOF: failed}), slices((1, 1), (1, 1), failures=in_slices))
    points = _points(_drawn("Throughput over time", summary)[0])
    assert (points["failed"][0] if "failed" in points else None) == crosses


def test_ramp() -> None:
    """The knee is a line through both parts; points stay within them if replies arrive faster than any were due."""
    upper, lower = _drawn("By the rate that was due", ramp_with_knee())
    assert _points(upper)["knee, 400/s"][0] == _points(lower)["knee, 400/s"][0] == [400.0, 400.0]
    assert upper.get_xlim() == lower.get_xlim() == (0, 1000)
    caught_up = summed_up(counted([1.0]), slices((100, 100), (200, 20), (300, 480)), RAMP)
    upper, _ = _drawn("By the rate that was due", caught_up)
    assert (upper.get_xlim(), upper.get_ylim()) == ((0, 300), (0, 500))
    assert _legend(upper) == ["due", "right replies"]


def test_nothing_is_said() -> None:
    """An empty picture says why, and has no scale."""
    for title, summary, note in (
        ("Time by percentile", nothing_at_all(), "no right reply"),
        ("Throughput over time", nothing_at_all(), "nothing was measured"),
        ("Response time over time", all_failed(), "no right reply"),
    ):
        (axes,) = _drawn(title, summary)
        assert [text.get_text() for text in axes.texts] == [note]
        assert axes.get_legend() is None
        assert not axes.yaxis.get_tick_params()["labelleft"]
    assert len(pictures(nothing_at_all(RAMP))) == 3  # a fourth would show nothing


@pytest.mark.parametrize(
    ("seconds", "unit", "last"), [(1.0, "s", "1"), (170.0, "s", "200"), (400.0, "min", "8"), (20000.0, "h", "6")]
)
def test_unit_of_the_time_axis(seconds: float, unit: str, last: str) -> None:
    """Long loads are shown in minutes or hours, with few ticks."""
    piece = replace(slices((1, 1))[0], end_seconds=seconds)
    (axes,) = _drawn("Throughput over time", summed_up(counted([1.0]), [piece]))
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert (axes.get_xlabel(), labels[-1]) == (f"time since the warm-up, {unit}", last)
    assert len(labels) <= 7
    assert axes.get_xlim() == (0, seconds)


def _of_times(seconds: Sequence[float]) -> Axes:
    pieces = [replace(each, max_seconds=time) for each, time in zip(slices(*[(1, 0)] * 99), seconds, strict=False)]
    return _drawn("Response time over time", summed_up(counted(), pieces))[0]


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        ([0.0004, 0.0011], ["0 s", "200 µs", "400 µs", "600 µs", "800 µs", "1 ms", "1.2 ms"]),
        ([0.00005], ["0 s", "10 µs", "20 µs", "30 µs", "40 µs", "50 µs"]),
        ([0.001, 0.05], ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms"]),
        ([0.00015, 2.1], ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]),
        ([2000.0], ["0 s", "500 s", "1000 s", "1500 s", "2000 s"]),
    ],
)
def test_scale_of_times(seconds: list[float], labels: list[str]) -> None:
    """The scale begins at 0, or is logarithmic if the times lie far apart."""
    assert _labels(_of_times(seconds)) == labels


@given(st.lists(st.floats(1e-6, 900.0), min_size=1, max_size=5))
def test_every_time_is_on_the_scale(seconds: list[float]) -> None:
    """The axis holds all times, with few ticks."""
    axes = _of_times(seconds)
    low, high = axes.get_ylim()
    assert low <= min(seconds) * (1 + 1e-9)
    assert max(seconds) <= high * (1 + 1e-9)
    assert len(_labels(axes)) <= 10


def test_inline_svg_is_text_in_known_colours() -> None:
    """A picture for the page has its text as text, and only colours that the page replaces, by distinct names."""
    drawn = inline_svg(_picture("Throughput over time", all_failed()), all_failed())
    assert "exchanges per second" in {text.text for text in ET.fromstring(drawn).iter(f"{SVG}text")}
    words = drawn.replace('"', " ").replace(";", " ").split()
    colours = {word for word in words if word.startswith("#") and len(word) == 7}
    assert colours <= set(COLOURS.values())
    assert len(colours) >= 4
    assert len(set(COLOURS.values())) == len(COLOURS)
