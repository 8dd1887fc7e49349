"""Charts."""

import xml.etree.ElementTree as ET

import pytest

from bench.chart import Axis, Curve, Point, bar_chart, line_chart, linear_axis, logarithmic_axis

CURVES = (
    Curve("one & only", (Point(0, 0.5, 0.4, 0.6), Point(1, 80, 70, 90))),
    Curve("other", (Point(1, 2, 2, 2),)),
)


def test_heights_are_in_proportion() -> None:
    """Half of a linear axis is in its middle, and on a logarithmic one every power takes the same room."""
    linear = Axis("", (0, 5, 10))
    assert linear.height(5) * 2 == pytest.approx(linear.height(0) + linear.height(10))
    logarithmic = Axis("", (1, 100), logarithmic=True)
    assert logarithmic.height(10) * 2 == pytest.approx(logarithmic.height(1) + logarithmic.height(100))
    assert logarithmic.height(1) > logarithmic.height(10)


def test_axes_have_room_for_every_value() -> None:
    """No value, and no end of its spread, lies outside."""
    logarithmic, linear = logarithmic_axis("", CURVES), linear_axis("", CURVES)
    assert logarithmic.ticks[0] <= 0.4
    assert logarithmic.ticks[-1] >= 90
    assert linear.ticks[0] == 0
    assert linear.ticks[-1] >= 90


@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_charts_say_what_they_show(kind: str) -> None:
    """A chart is well-formed XML with title, labels, names and values, and has colours for dark pages."""
    axis, names = linear_axis("upwards", CURVES), ("left", "right")
    if kind == "lines":
        text = line_chart("A < B", "sideways", names, axis, CURVES)
    else:
        text = bar_chart("A < B", "sideways", names, axis, CURVES, marks=(1, 2))
    root = ET.fromstring(text)
    written = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for expected in ("A < B", "upwards", "sideways", "left", "right", "one & only", "other", "0.50", "80.0", "2.00"):
        assert expected in written
    assert "prefers-color-scheme: dark" in text
