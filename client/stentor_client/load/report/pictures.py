"""A load as pictures, drawn by matplotlib without pyplot and its global state."""

import io
import math
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from stentor_chassis.escaping import escaped
from stentor_client.load.report.distribution import PERCENTILES
from stentor_client.load.report.figures import described
from stentor_client.load.report.series import Slice
from stentor_client.load.report.summary import Summary
from stentor_client.output import wording

# Lightness and line style distinguish them too, for colour-blind readers and for paper.
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
RAREST = 1e-5  # the scale of percentiles ends at p99.999
WIDE = 20  # times the shortest: from there on a scale of times is logarithmic
_ROUND = MaxNLocator(6, steps=[1, 2, 5, 10])
_POINTS = 72
_STYLE = files("stentor_client.load.report").joinpath("report.mplstyle")


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture; `draw` returns its topmost axes."""

    title: str
    note: str
    draw: Callable[[Figure, SubplotSpec, Summary], Axes]


def pictures(summary: Summary) -> list[Picture]:
    """Return the pictures of a load: one more for a ramp."""
    found = [
        Picture(
            "Time by percentile",
            "This share of the exchanges was not slower. Response time runs from the moment the exchange was due, "
            "service time from the actual send; in between, the exchange waited.",
            _draw_distribution,
        ),
        Picture("Response time over time", "One point for each slice of the measured time.", _draw_times),
        Picture(
            "Throughput over time",
            "Right replies, and the rate that was due. A cross marks a slice with failures; a cross at the end marks "
            "failures after it.",
            _draw_throughput,
        ),
    ]
    if summary.options.ramp and summary.slices:
        note = "Throughput leaves the dashed line when the rate becomes too high. Each point is one slice."
        found.append(Picture("By the rate that was due", note, _draw_ramp))
    return found


def inline_svg(picture: Picture, summary: Summary) -> str:
    """Return one picture as an SVG element without a title, its text as text, in the colours of `COLOURS`."""
    drawn = io.StringIO()
    with _new_figure(WIDTH, HEIGHT, "none") as figure:
        picture.draw(figure, figure.add_gridspec(1, 1)[0], summary)
        figure.savefig(drawn, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Type")))
    text = drawn.getvalue()
    return text[text.index("<svg") :]


def sheet(summary: Summary, kind: str) -> bytes:
    """Return all pictures as one, as `svg` (its text as paths, so that it needs no fonts) or `png`."""
    drawn = io.BytesIO()
    distribution, times, throughput, *ramp = pictures(summary)
    with _new_figure(2 * WIDTH, 2 * HEIGHT + 40, "path") as figure:
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore[union-attr, call-arg]
        head = f"{escaped(summary.options.dial.target)}: {described(summary.options)}; {summary.started_at}"
        figure.suptitle(textwrap.fill(head, HEAD_COLUMNS), x=0.012, ha="left")
        grid = figure.add_gridspec(2, 2)
        # The pictures over time are on the right, one below the other.
        left = [(ramp[0], grid[1, 0]), (distribution, grid[0, 0])] if ramp else [(distribution, grid[:, 0])]
        for picture, place in (*left, (times, grid[0, 1]), (throughput, grid[1, 1])):
            picture.draw(figure, place, summary).set_title(picture.title)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # a target in a script that the font lacks
            figure.savefig(drawn, format=kind, dpi=DOTS_PER_INCH, facecolor="white")
    return drawn.getvalue()


@contextmanager
def _new_figure(width: int, height: int, font_type: str) -> Iterator[Figure]:
    # The default undoes a `matplotlibrc`, which the library also reads from the current directory.
    with style.context(["default", str(_STYLE), {"svg.fonttype": font_type}]):
        yield Figure(figsize=(width / _POINTS, height / _POINTS), layout="constrained")


def _draw_distribution(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    axes = figure.add_subplot(place)
    curves = [("response time", summary.response_time, COLOURS["first"], "-")]
    if summary.options.rate:
        curves.append(("service time", summary.service_time, COLOURS["second"], "--"))
    seen: list[float] = []
    for name, times, colour, line in curves:
        if times.count:
            seconds, counts = zip(*times.steps(), strict=True)
            seen += seconds
            # The horizontal axis is the share of slower exchanges, from all to none, so each further nine is a step.
            axes.ecdf(
                seconds, counts, complementary=True, orientation="horizontal", color=colour, linestyle=line, label=name
            )
    _scale_times(axes, seen)
    axes.set_xscale("log")
    percents = (*PERCENTILES, 99.999)
    axes.set_xticks([1 - percent / 100 for percent in percents], [f"p{percent:g}" for percent in percents])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(1, min(max(RAREST, 0.5 / max(1, summary.good)), 0.01))
    axes.set_xlabel("percentile")
    return _finish(axes, empty="" if seen else "no right reply")


def _draw_times(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    axes = figure.add_subplot(place)
    moments = [(each.begin_seconds + each.end_seconds) / 2 for each in summary.slices]
    seen: list[float] = []
    for name, colour, line, read in (
        ("longest", COLOURS["third"], ":", lambda each: each.max_seconds),
        ("p99", COLOURS["second"], "-", lambda each: each.p99_seconds),
        ("p50", COLOURS["first"], "-", lambda each: each.p50_seconds),
    ):
        values = _values(summary.slices, read)
        seen += values
        axes.plot(moments, values, line, marker="o", color=colour, label=name)
    shown = _scale_times(axes, seen)
    _time_passes(axes, summary)
    return _finish(axes, empty="" if shown else "no right reply")


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
            crosses.append(edges[-1])  # a time-out can be longer than the time that was left
        if crosses:
            axes.plot(
                crosses, [0] * len(crosses), "x", color=COLOURS["bad"], label="failed", markersize=7, clip_on=False
            )
    _scale_rates(axes.yaxis, (rate for each in slices for rate in (each.due_rate, each.throughput)))
    axes.set_ylabel("exchanges per second")
    _time_passes(axes, summary)
    return _finish(axes, empty="" if slices else "nothing was measured")


def _draw_ramp(figure: Figure, place: SubplotSpec, summary: Summary) -> Axes:
    grid = place.subgridspec(2, 1, height_ratios=(3, 2))
    upper, lower = figure.add_subplot(grid[0]), figure.add_subplot(grid[1])
    slices = sorted(summary.slices, key=lambda each: each.due_rate)
    due = [each.due_rate for each in slices]
    right = [each.throughput for each in slices]
    longest = _values(slices, lambda each: each.p99_seconds)
    top = max(_scale_rates(axes.xaxis, due) for axes in (upper, lower))
    upper.plot([0, top], [0, top], "--", color=COLOURS["ink"], label="due", linewidth=1.2)
    upper.plot(due, right, "o", color=COLOURS["first"], label="right replies", clip_on=False)
    lower.plot(due, longest, "o", color=COLOURS["second"], clip_on=False)
    if summary.knee is not None:
        label = f"knee, {wording.rate(summary.knee.due_rate)}/s"
        for axes in (upper, lower):
            axes.axvline(summary.knee.due_rate, color=COLOURS["bad"], linestyle="-.", linewidth=1.4, label=label)
    _scale_rates(upper.yaxis, (top, *right))  # after a stall, replies can arrive faster than any were due
    upper.tick_params(labelbottom=False)
    upper.set_ylabel("right replies/s")
    lower.set_ylabel("p99")
    lower.set_xlabel("exchanges due per second")
    _scale_times(lower, longest, most_ticks=5)
    return _finish(upper)


def _finish(axes: Axes, *, empty: str = "") -> Axes:
    """Set the legend above the axes, or write why there is nothing to show."""
    if empty:
        axes.tick_params(labelleft=False)  # a scale of nothing
        note = axes.text(0.5, 0.5, empty, transform=axes.transAxes, ha="center", va="center", color=COLOURS["quiet"])
        note.set_in_layout(False)
    else:
        axes.legend(
            loc="lower left", bbox_to_anchor=(0, 1.01), ncols=4, borderaxespad=0, borderpad=0.2, columnspacing=1.4
        )
    return axes


def _scale_rates(axis: Axis, rates: Iterable[float]) -> float:
    """Scale an axis from 0 to a round figure that no rate exceeds; return that figure."""
    ticks = _ROUND.tick_values(0, max(rates, default=0.0) or 1.0)
    axis.set_ticks(ticks)
    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    set_limits = axis.axes.set_xlim if isinstance(axis, XAxis) else axis.axes.set_ylim
    set_limits(0, ticks[-1])
    return ticks[-1]


def _scale_times(axes: Axes, seconds: Iterable[float], most_ticks: int = 9) -> bool:
    """Scale the vertical axis for times, logarithmically if they lie far apart; return whether there are any."""
    values = [value for value in seconds if value > 0]
    low, high = min(values, default=1e-3), max(values, default=1e-3)
    ticks = _ROUND.tick_values(0, high)
    if high >= WIDE * low:
        axes.set_yscale("log")
        for factors in ([1.0, 2.0, 5.0], [1.0, 3.0], [1.0]):
            marks = LogLocator(subs=factors, numticks=99).tick_values(low / 10, high * 10)
            ends = max(mark for mark in marks if mark <= low), min(mark for mark in marks if mark >= high)
            ticks = [mark for mark in marks if ends[0] <= mark <= ends[1]]
            if len(ticks) <= most_ticks:
                break
    axes.set_yticks(ticks)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(_Seconds(unit="s"))
    axes.set_ylim(ticks[0], ticks[-1])
    return bool(values)


class _Seconds(EngFormatter):
    """Times, without kiloseconds."""

    ENG_PREFIXES = {power: prefix for power, prefix in EngFormatter.ENG_PREFIXES.items() if power <= 0}  # noqa: RUF012


def _time_passes(axes: Axes, summary: Summary) -> None:
    measured = summary.slices[-1].end_seconds if summary.slices else summary.options.duration_seconds
    unit, seconds = next((each for each in (("h", 3600), ("min", 60)) if measured >= 3 * each[1]), ("s", 1))
    ticks = _ROUND.tick_values(0, measured / seconds)
    axes.set_xticks([tick * seconds for tick in ticks], [f"{tick:g}" for tick in ticks])
    axes.set_xlim(0, measured)
    axes.set_xlabel(f"time since the warm-up, {unit}")


def _values(slices: Sequence[Slice], read: Callable[[Slice], float | None]) -> list[float]:
    return [math.nan if (value := read(each)) is None else value for each in slices]
