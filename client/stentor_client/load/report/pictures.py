"""A load as pictures, drawn by matplotlib without any state of its own."""

import io
import math
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec, SubplotSpec
from matplotlib.ticker import FixedLocator, FuncFormatter

from stentor_chassis.escaping import escaped
from stentor_client.load.report.distribution import PERCENTILES, Distribution
from stentor_client.load.report.figures import described
from stentor_client.load.report.quantities import rate_text
from stentor_client.load.report.scale import even_ticks, rate_scale, time_scale
from stentor_client.load.report.series import Slice
from stentor_client.load.report.summary import Summary

# Told apart by people who see few colours, by their lightness on paper, and by their line.
COLOURS = {
    "ink": "#1f2328",
    "quiet": "#59636e",
    "grid": "#d8dee4",
    "first": "#0067b8",
    "second": "#bf5700",
    "third": "#7d8791",
    "bad": "#c4183c",
}
WIDTH, HEIGHT = 440, 290  # points, of one picture: a telephone shows it somewhat smaller
DOTS_PER_INCH = 144
HEAD_COLUMNS = 100
MOST_NINES = 5.0  # the scale of percentiles ends at p99.999
_POINTS = 72
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # which comes with the library
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 26,  # the legend stands below it
    "axes.labelsize": 11.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 7,
    "ytick.major.pad": 7,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "lines.markersize": 3,
    "legend.frameon": False,
    "legend.fontsize": 11.5,
    "svg.hashsalt": "stentor",
    "text.parse_math": False,  # a dollar sign is one
    **{f"{part}.color": COLOURS["quiet"] for part in ("xtick", "ytick")},
    **dict.fromkeys(("text.color", "axes.titlecolor", "axes.labelcolor"), COLOURS["ink"]),
    "axes.edgecolor": COLOURS["quiet"],
    "grid.color": COLOURS["grid"],
}
# The default undoes a `matplotlibrc`, which the library also reads from the current directory.
_STYLES: list[Any] = ["default", _STYLE]

Draw = Callable[[Figure, SubplotSpec, Summary], Axes]


@dataclass(frozen=True, slots=True)
class Picture:
    """What one picture shows; `draw` returns its topmost axes."""

    title: str
    note: str
    draw: Draw


def pictures(summary: Summary) -> list[Picture]:
    """Return what there is to see of a load."""
    found = [
        Picture(
            "Time by percentile",
            "So large a part of the exchanges took no longer. Response time counts from the moment at which the "
            "exchange was due, service time from the actual send: between the two it waited.",
            _draw_distribution,
        ),
        Picture("Response time over time", "Of each slice of the measured time.", _draw_times),
        Picture(
            "Throughput over time",
            "Right replies, beside what the schedule called for. A cross marks where exchanges failed; at the end it "
            "marks those that failed later.",
            _draw_throughput,
        ),
    ]
    if summary.options.ramp and summary.slices:
        note = "Throughput leaves the dashed line where the rate becomes too much. Each point is one slice."
        found.append(Picture("By the rate that was due", note, _draw_ramp))
    return found


def inline_svg(picture: Picture, summary: Summary) -> str:
    """Return one picture as an SVG element without a title, its text as text, in the colours of `COLOURS`."""
    with style.context([*_STYLES, {"svg.fonttype": "none"}]):
        figure = Figure(figsize=(WIDTH / _POINTS, HEIGHT / _POINTS), layout="constrained")
        picture.draw(figure, figure.add_gridspec(1, 1)[0], summary)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Type")))
    text = drawn.getvalue()
    return text[text.index("<svg") :]


def sheet(summary: Summary, kind: str) -> bytes:
    """Return all pictures as one, as `svg` (its text as paths, so that it needs no fonts) or `png`."""
    drawn = io.BytesIO()
    distribution, times, throughput, *ramp = pictures(summary)
    with style.context([*_STYLES, {"svg.fonttype": "path"}]):
        figure = Figure(figsize=(2 * WIDTH / _POINTS, (2 * HEIGHT + 40) / _POINTS), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
        head = f"{escaped(summary.options.dial.target)}: {described(summary.options)}; {summary.started_at}"
        figure.suptitle(textwrap.fill(head, HEAD_COLUMNS), x=0.012, ha="left")
        grid = figure.add_gridspec(2, 2)
        # What is over time stands on the right, one below the other.
        places = [grid[0, 0], grid[1, 0]] if ramp else [grid[:, 0]]
        for picture, place in zip(
            (distribution, *ramp, times, throughput), (*places, grid[0, 1], grid[1, 1]), strict=True
        ):
            picture.draw(figure, place, summary).set_title(picture.title)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a target in a script that the font lacks
            figure.savefig(drawn, format=kind, dpi=DOTS_PER_INCH, facecolor="white")
    return drawn.getvalue()


def _draw_distribution(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    axes = figure.add_subplot(place)
    curves = [("response time", summary.response_time, COLOURS["first"], "-")]
    if summary.options.rate:
        curves.append(("service time", summary.service_time, COLOURS["second"], "--"))
    seen: list[float] = []
    for name, times, colour, line in curves:
        nines, seconds = _curve(times)
        seen += seconds
        axes.plot(nines, seconds, line, color=colour, label=name)
    time_scale(axes.yaxis, seen)
    longest = max(math.log10(2 * max(1, summary.good)), 2.0)
    marks = [_nines(percent / 100) for percent in (*PERCENTILES, 99.999)]
    axes.xaxis.set_major_locator(FixedLocator(marks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda nines, _: f"p{100 * (1 - 10**-nines):.5g}"))
    axes.set_xlim(0, min(longest, MOST_NINES))
    axes.set_xlabel("percentile")
    return _finish(axes, empty="" if seen else "no right reply")


def _draw_times(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    axes = figure.add_subplot(place)
    moments = [(each.begin_seconds + each.end_seconds) / 2 for each in summary.slices]
    seen: list[float] = []
    for name, colour, line, take in (
        ("longest", COLOURS["third"], ":", lambda each: each.max_seconds),
        ("p99", COLOURS["second"], "-", lambda each: each.p99_seconds),
        ("p50", COLOURS["first"], "-", lambda each: each.p50_seconds),
    ):
        values = _values(summary.slices, take)
        seen += [value for value in values if not math.isnan(value)]
        axes.plot(moments, values, line, marker="o", color=colour, label=name)
    time_scale(axes.yaxis, seen)
    _time_passes(axes, summary)
    return _finish(axes, empty="" if seen else "no right reply")


def _draw_throughput(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    axes = figure.add_subplot(place)
    slices = summary.slices
    if slices:
        edges = [slices[0].begin_seconds, *(each.end_seconds for each in slices)]
        right = [each.throughput for each in slices]
        axes.stairs(right, edges, fill=True, color=COLOURS["first"], alpha=0.25, linewidth=0)
        axes.stairs(right, edges, color=COLOURS["first"], label="right replies", baseline=None, linewidth=1.8)
        if summary.options.rate:
            due = [each.due_rate for each in slices]
            axes.stairs(due, edges, color=COLOURS["ink"], label="due", baseline=None, linestyle="--", linewidth=1.2)
        rates = [each.failures / (each.end_seconds - each.begin_seconds) for each in slices]
        axes.stairs(rates, edges, fill=True, color=COLOURS["bad"], linewidth=0)
        crosses = [(each.begin_seconds + each.end_seconds) / 2 for each in slices if each.failures]
        if sum(each.failures for each in slices) < summary.exchanges - summary.good:
            crosses.append(edges[-1])  # a time-out can be longer than what was left
        if crosses:
            axes.plot(
                crosses, [0] * len(crosses), "x", color=COLOURS["bad"], label="failed", markersize=7, clip_on=False
            )
    top = even_ticks(max((max(each.due_rate, each.throughput) for each in slices), default=0.0) or 1.0)
    rate_scale(axes.yaxis, top)
    axes.set_ylim(0, top[-1])
    axes.set_ylabel("exchanges per second")
    _time_passes(axes, summary)
    return _finish(axes, empty="" if slices else "nothing was measured")


def _draw_ramp(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    grid = GridSpecFromSubplotSpec(2, 1, place, height_ratios=(3, 2))
    upper, lower = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    slices = sorted(summary.slices, key=lambda each: each.due_rate)
    due = [each.due_rate for each in slices]
    top = even_ticks(max(due, default=0.0) or 1.0)
    upper.plot([0, top[-1]], [0, top[-1]], "--", color=COLOURS["ink"], label="due", linewidth=1.2)
    right = [each.throughput for each in slices]
    upper.plot(due, right, "o", color=COLOURS["first"], label="right replies", clip_on=False)
    longest = _values(slices, lambda each: each.p99_seconds)
    lower.plot(due, longest, "o", color=COLOURS["second"], clip_on=False)
    for axes in (upper, lower):
        rate_scale(axes.xaxis, top)
        axes.set_xlim(0, top[-1])
        if summary.knee is not None:
            label = f"knee, {rate_text(summary.knee.due_rate)}/s"
            axes.axvline(summary.knee.due_rate, color=COLOURS["bad"], linestyle="-.", linewidth=1.4, label=label)
    most = even_ticks(max(top[-1], *right))  # more than ever was due, where it catches up after a stall
    rate_scale(upper.yaxis, most)
    upper.set_ylim(0, most[-1])
    upper.tick_params(labelbottom=False)
    upper.set_ylabel("right replies/s")
    lower.set_ylabel("p99")
    lower.set_xlabel("exchanges due per second")
    time_scale(lower.yaxis, [value for value in longest if not math.isnan(value)], most_ticks=5)
    return _finish(upper)


def _finish(axes: Axes, *, empty: str = "") -> Axes:
    """Set the legend above the axes, where it hides nothing; or say why there is nothing to see."""
    if empty:
        axes.tick_params(labelleft=False)  # a scale of nothing
        note = axes.text(0.5, 0.5, empty, transform=axes.transAxes, ha="center", va="center", color=COLOURS["quiet"])
        note.set_in_layout(False)
    else:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), ncols=4, borderaxespad=0, borderpad=0.2, columnspacing=1.4
        )
    return axes


def _time_passes(axes: Axes, summary: Summary) -> None:
    measured = summary.slices[-1].end_seconds if summary.slices else summary.options.duration_seconds
    unit, seconds = next((each for each in (("h", 3600.0), ("min", 60.0)) if measured >= 3 * each[1]), ("s", 1.0))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / seconds:g}"))
    axes.xaxis.set_major_locator(FixedLocator([tick * seconds for tick in even_ticks(measured / seconds)]))
    axes.set_xlim(0, measured)
    axes.set_xlabel(f"time since the warm-up, {unit}")


def _curve(times: Distribution) -> tuple[list[float], list[float]]:
    """Return the percentiles of all that was measured, as nines, and the times, in seconds: a stair of buckets."""
    nines: list[float] = []
    seconds: list[float] = []
    passed, all_ = 0, times.count
    for bound, count in times.steps():
        before, passed = passed, passed + count
        # The longest ends at half its own share: a scale of nines has no place for all.
        nines += (_nines(before / all_), _nines(min(passed, all_ - 0.5) / all_))
        seconds += [min(bound, times.most)] * 2
    return nines, seconds


def _nines(share: float) -> float:
    """Return 1 for 90 %, 2 for 99 %, and so on."""
    return -math.log10(1 - share)


def _values(slices: Sequence[Slice], take: Callable[[Slice], float | None]) -> list[float]:
    return [math.nan if (value := take(each)) is None else value for each in slices]
