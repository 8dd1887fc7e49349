"""Charts as SVG, readable on light and on dark pages."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 24, 92, 56
HEADROOM = 1.02  # above the highest value
STYLE = """
text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328; }
.title { font-size: 16px; font-weight: 600; }
.quiet { fill: #59636e; font-size: 12px; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.mark { stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 5 4; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.whisker { stroke: #59636e; stroke-width: 1.2; }
.s0 { fill: #0969da; stroke: #0969da; } .s1 { fill: #8c959f; stroke: #8c959f; }
.s2 { fill: #1a7f64; stroke: #1a7f64; } .s3 { fill: #bc4c00; stroke: #bc4c00; }
.s4 { fill: #8250df; stroke: #8250df; }
.line.s0, .line.s1, .line.s2, .line.s3, .line.s4 { fill: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } .quiet { fill: #9198a1; }
  .grid { stroke: #3d444d; } .mark, .whisker { stroke: #9198a1; }
  .s0 { fill: #4493f8; stroke: #4493f8; } .s1 { fill: #7d8590; stroke: #7d8590; }
  .s2 { fill: #3fb68b; stroke: #3fb68b; } .s3 { fill: #f0883e; stroke: #f0883e; }
  .s4 { fill: #ab7df8; stroke: #ab7df8; }
}
"""


@dataclass(frozen=True)
class Point:
    """A value, its spread, and where it stands on the horizontal axis."""

    at: float
    value: float
    least: float
    most: float


@dataclass(frozen=True)
class Curve:
    """What one server came to."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Axis:
    """A vertical axis from `least` to `most`, logarithmic or from 0."""

    label: str
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def height(self, value: float) -> float:
        """Return where a value stands, in pixels from the top."""
        least, most = self.ticks[0], self.ticks[-1]
        if self.logarithmic:
            share = math.log(max(value, least) / least) / math.log(most / least)
        else:
            share = (value - least) / (most - least)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)


def logarithmic_axis(label: str, curves: Sequence[Curve]) -> Axis:
    """Return an axis of powers of ten, and their thirds, that has room for the curves."""
    values = [value for curve in curves for point in curve.points for value in (point.least, point.most)]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 3)]
    low = max((tick for tick in ticks if tick <= min(values)), default=ticks[0])
    high = min(tick for tick in ticks if tick >= max(values))
    return Axis(label, tuple(tick for tick in ticks if low <= tick <= high), logarithmic=True)


def linear_axis(label: str, curves: Sequence[Curve]) -> Axis:
    """Return an axis from 0 that has room for the curves."""
    most = max(point.most for curve in curves for point in curve.points)
    step = next(s for s in (0.1, 0.25, 0.5, 1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000) if most * HEADROOM / s <= 6)
    return Axis(label, tuple(step * number for number in range(math.ceil(most * HEADROOM / step) + 1)))


def line_chart(title: str, horizontal: str, names: Sequence[str], axis: Axis, curves: Sequence[Curve]) -> str:
    """Return a chart of curves; `names` are those of the places 0, 1, … on the horizontal axis."""
    step = (WIDTH - LEFT - RIGHT) / len(names)
    body = [*_frame(title, horizontal, names, axis), *_legend([curve.name for curve in curves])]
    for number, curve in enumerate(curves):
        places = [(_middle(point.at, step), axis.height(point.value)) for point in curve.points]
        body.append(f'<polyline class="line s{number}" points="{" ".join(f"{x},{y}" for x, y in places)}"/>')
        for (x, y), point in zip(places, curve.points, strict=True):
            body += [_whisker(x, point, axis), f'<circle class="s{number}" cx="{x}" cy="{y}" r="3.5"/>']
            highest = all(point.value >= other.value for one in curves for other in one.points if other.at == point.at)
            body.append(_text(x, y - 9 if highest else y + 19, _figure(point.value), "quiet"))
    return _svg(title, body)


def bar_chart(
    title: str, horizontal: str, names: Sequence[str], axis: Axis, curves: Sequence[Curve], marks: Sequence[float] = ()
) -> str:
    """Return a chart of bars in groups; `marks` are the targets of the groups."""
    step = (WIDTH - LEFT - RIGHT) / len(names)
    width = min(48.0, 0.8 * step / len(curves))
    body = [*_frame(title, horizontal, names, axis), *_legend([curve.name for curve in curves])]
    for number, curve in enumerate(curves):
        for point in curve.points:
            x = round(_middle(point.at, step) + (number - len(curves) / 2) * width, 1)
            y = axis.height(point.value)
            body.append(
                f'<rect class="s{number}" stroke="none" x="{x}" y="{y}" width="{width - 2:.1f}"'
                f' height="{HEIGHT - BOTTOM - y:.1f}"/>'
            )
            middle = round(x + width / 2 - 1, 1)
            body.append(_whisker(middle, point, axis))
            if len(names) * len(curves) <= 8 or number == 0:
                body.append(_text(middle, axis.height(max(point.most, point.value)) - 5, _figure(point.value), "quiet"))
    for at, mark in enumerate(marks):
        left, y = _middle(at, step) - len(curves) * width / 2, axis.height(mark)
        body.append(f'<line class="mark" x1="{left:.1f}" x2="{left + len(curves) * width:.1f}" y1="{y}" y2="{y}"/>')
    return _svg(title, body)


def _frame(title: str, horizontal: str, names: Sequence[str], axis: Axis) -> list[str]:
    step = (WIDTH - LEFT - RIGHT) / len(names)
    body = [_text(LEFT - 46, 26, title, "title", "start"), _text(LEFT - 46, 66, axis.label, "quiet", "start")]
    for tick in axis.ticks:
        y = axis.height(tick)
        body.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        body.append(_text(LEFT - 8, y + 4, f"{tick:g}", "quiet", "end"))
    body += [_text(_middle(at, step), HEIGHT - BOTTOM + 20, name) for at, name in enumerate(names)]
    return [*body, _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, horizontal, "quiet")]


def _legend(names: Sequence[str]) -> list[str]:
    body, x = [], LEFT - 46
    for number, name in enumerate(names):
        body.append(f'<rect class="s{number}" x="{x}" y="37" width="11" height="11" rx="2"/>')
        body.append(_text(x + 17, 47, name, "", "start"))
        x += 36 + 7 * len(name)
    return body


def _whisker(x: float, point: Point, axis: Axis) -> str:
    low, high = axis.height(point.least), axis.height(point.most)
    return f'<line class="whisker" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'


def _middle(at: float, step: float) -> float:
    return round(LEFT + (at + 0.5) * step, 1)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _svg(title: str, body: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", *body, "</svg>"]) + "\n"
