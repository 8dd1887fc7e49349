"""A load as pictures."""

import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

from stentor_client.load.options import LoadOptions
from stentor_client.load.report.pictures import COLOURS, Picture, inline_svg, pictures, sheet
from stentor_client.load.report.summary import Summary
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import (
    CLOSED,
    EXTREMES,
    HOSTILE,
    OPTIONS,
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
    figure = Figure(layout="constrained")
    _picture(title, summary).draw(figure, figure.add_gridspec(1, 1)[0], summary)
    figure.draw_without_rendering()
    return figure.axes


def _picture(title: str, summary: Summary) -> Picture:
    return next(picture for picture in pictures(summary) if picture.title == title)


def _lines(axes: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in axes.get_lines()}


def _points(line: Line2D) -> tuple[list[float], list[float]]:
    across, up = (np.asarray(each, dtype=float).tolist() for each in line.get_data())
    return across, up


def _notes(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("making", EXTREMES)
@pytest.mark.parametrize("options", [OPTIONS, RAMP, CLOSED], ids=["rate", "ramp", "closed"])
@pytest.mark.parametrize("kind", ["svg", "png"])
def test_sheet_of_any_load(making: Making, options: LoadOptions, kind: str) -> None:
    """Whatever came of a load, it can be drawn, and is what its name says."""
    drawn = sheet(making(options), kind)
    if kind == "png":
        assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    else:
        root = ET.fromstring(drawn)
        assert root.tag == f"{SVG}svg"
        assert root.findall(f".//{SVG}text") == []  # paths need no fonts


def test_which_pictures() -> None:
    """A ramp has one picture more; where nothing was measured it would show nothing."""
    assert [len(pictures(each)) for each in (steady(), steady(CLOSED), ramp_with_knee(), nothing_at_all(RAMP))] == [
        3,
        3,
        4,
        3,
    ]


def test_percentiles_are_the_distribution() -> None:
    """The curve passes through the percentiles of the table, and ends at the longest."""
    summary = steady()
    (axes,) = _drawn("Time by percentile", summary)
    lines = _lines(axes)
    assert set(lines) == {"response time", "service time"}
    nines, seconds = _points(lines["response time"])
    assert nines == sorted(nines)
    assert seconds == sorted(seconds)
    for mark, percent in ((0.30103, 50), (1, 90), (2, 99)):
        at = next(value for nine, value in zip(nines, seconds, strict=True) if nine >= mark - 1e-6)
        assert at == pytest.approx(summary.response_time.percentile(percent), rel=0.011)
    assert seconds[-1] == summary.response_time.most
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[:4] == ["p50", "p90", "p99", "p99.9"]


def test_closed_loop_has_one_curve_and_nothing_due() -> None:
    """Without a schedule there is no service time beside the response time, and nothing that was due."""
    summary = steady(CLOSED)
    assert set(_lines(_drawn("Time by percentile", summary)[0])) == {"response time"}
    assert _legend(_drawn("Throughput over time", summary)[0]) == ["right replies"]


def test_slices_without_replies_leave_gaps() -> None:
    """Where nothing was answered there is no point, and no line across."""
    summary = summed_up(counted([1.0]), slices((10, 10), (10, 0), (10, 10)))
    (axes,) = _drawn("Response time over time", summary)
    _, middle = _points(_lines(axes)["p50"])
    assert [value == value for value in middle] == [True, False, True]  # noqa: PLR0124 - NaN is not itself
    assert [label.get_text() for label in axes.get_xticklabels()][-1] == "3"


def test_throughput_is_true_to_scale() -> None:
    """Areas begin at 0 and stand over their slices; what was due is beside them."""
    summary = summed_up(counted([1.0]), slices((10, 10), (20, 15)))
    (axes,) = _drawn("Throughput over time", summary)
    area, right, due, _ = (each.get_data() for each in axes.patches if isinstance(each, StepPatch))
    (rates, edges, baseline), (right_rates, *_), (due_rates, *_) = area, right, due
    assert list(rates) == list(right_rates) == [10, 15]
    assert (baseline, list(due_rates), list(edges)) == (0, [10, 20], [0, 1, 2])
    assert axes.get_ylim()[0] == 0


@pytest.mark.parametrize(
    ("summary", "crosses"),
    [
        (summed_up(counted([1.0]), slices((1, 1), (1, 1))), None),
        (summed_up(counted([1.0], {Outcome.EOF: 2}), slices((1, 1), (1, 1), failures=1)), [0.5, 1.5]),
        (summed_up(counted([1.0], {Outcome.TIMEOUT: 1}), slices((1, 1), (1, 1))), [2.0]),
        (summed_up(counted([1.0], {Outcome.TIMEOUT: 5}), slices((1, 1), (1, 1), failures=1)), [0.5, 1.5, 2.0]),
    ],
    ids=["none", "in-slices", "after-the-end", "both"],
)
def test_failures_are_marked(summary: Summary, crosses: list[float] | None) -> None:
    """Every slice with a failure has a cross, however few they are; those after the end have one there."""
    lines = _lines(_drawn("Throughput over time", summary)[0])
    assert (_points(lines["failed"])[0] if "failed" in lines else None) == crosses


def test_knee_is_marked() -> None:
    """The knee is a line through both parts of the picture, at its rate."""
    upper, lower = _drawn("By the rate that was due", ramp_with_knee())
    assert _lines(upper)["knee, 400/s"].get_xdata() == [400.0, 400.0]
    assert _lines(lower)["knee, 400/s"].get_xdata() == [400.0, 400.0]
    assert upper.get_xlim() == lower.get_xlim() == (0, 1000)


def test_no_knee_is_marked() -> None:
    """Where throughput followed there is no such line."""
    followed = summed_up(counted([1.0]), slices((100, 100), (200, 200)), RAMP)
    assert _legend(_drawn("By the rate that was due", followed)[0]) == ["due", "right replies"]


def test_more_than_was_due() -> None:
    """Where replies that were held up come faster than any was due, their points stay within the axes."""
    caught_up = summed_up(counted([1.0]), slices((100, 100), (200, 20), (300, 480)), RAMP)
    upper, _ = _drawn("By the rate that was due", caught_up)
    assert (upper.get_xlim(), upper.get_ylim()) == ((0, 300), (0, 500))


def test_nothing_is_said() -> None:
    """An empty picture says why, and has no scale of nothing."""
    for title, note in (("Time by percentile", "no right reply"), ("Throughput over time", "nothing was measured")):
        (axes,) = _drawn(title, nothing_at_all())
        assert _notes(axes) == [note]
        assert axes.get_legend() is None
        assert not any(label.get_visible() and label.get_text() for label in axes.get_yticklabels() if _on(axes))
    assert _notes(_drawn("Response time over time", all_failed())[0]) == ["no right reply"]


@pytest.mark.parametrize("seconds", [1.0, 170.0, 400.0, 20000.0])
def test_unit_of_the_time_that_passes(seconds: float) -> None:
    """Long loads are told in minutes or hours, with few ticks."""
    piece = replace(slices((1, 1))[0], end_seconds=seconds)
    (axes,) = _drawn("Throughput over time", summed_up(counted([1.0]), [piece]))
    unit = "h" if seconds > 10800 else "min" if seconds > 180 else "s"
    assert axes.get_xlabel() == f"time since the warm-up, {unit}"
    assert len(axes.get_xticklabels()) <= 7


def test_inline_svg_is_text_in_known_colours() -> None:
    """What goes into a page has its text as text, and no colour but those that the page knows to replace."""
    drawn = inline_svg(_picture("Throughput over time", all_failed()), all_failed())
    root = ET.fromstring(drawn)
    assert "exchanges per second" in {text.text for text in root.iter(f"{SVG}text")}
    words = drawn.replace('"', " ").replace(";", " ").split()
    colours = {word for word in words if word.startswith("#") and len(word) == 7 and word != "#"}
    assert colours <= set(COLOURS.values())
    assert len(colours) >= 4


def test_one_colour_one_name() -> None:
    """A colour that two names shared could not be told apart in the page."""
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_leaves_no_state_behind() -> None:
    """Nothing of pyplot's is loaded, and the library's settings are as before."""
    before = mpl.rcParams.copy()  # which asks for no backend, as reading all of them would
    sheet(steady(), "png")
    assert mpl.rcParams.copy() == before
    assert "matplotlib.pyplot" not in sys.modules


def _legend(axes: Axes) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


def _on(axes: Axes) -> bool:
    return bool(axes.yaxis.get_tick_params()["labelleft"])


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_any_target(kind: str) -> None:
    """Whatever the target is called, it is drawn as plain text."""
    drawn = sheet(steady(HOSTILE), kind)
    if kind == "svg":
        ET.fromstring(drawn)
