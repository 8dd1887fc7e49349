"""Charts of the results, on a white card that is readable on light and dark pages."""

import io
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.peer import REFERENCE
from bench.ratio import Spread, spread
from bench.report import main_ratio, measured
from bench.workload import CONNECTIONS, KIB, MAIN, MIB, SIZES, WORKERS, Cell

PLOTTED = (STENTOR, "go", "node", "uvloop_protocol")  # the table has the others
BOTH = (STENTOR, REFERENCE)
COLOURS = {STENTOR: "#0969da", REFERENCE: "#6e7781", "go": "#8c959f", "node": "#1a7f64", "uvloop_protocol": "#bc4c00"}
INK = "#1f2328"
SHORT_TITLES = ("64 B", "1 KiB", "64 KiB", "1 MiB", "32 deep", "connect", "15,000 open")
COST = "server processor time, µs per message"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # part of matplotlib
    "font.size": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 32,  # room for the legend
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#d1d9e0",
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "stentor",  # the same figures give the same file
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}

Curves = dict[str, list[Spread | None]]  # of each contender, by cell; None if it was not measured


def charts(runs: Sequence[Run]) -> dict[str, str]:
    """Return the charts, as SVG, by the names of their files."""
    ratios = {name: [main_ratio(runs, cell, name) for cell in MAIN] for name in PLOTTED if name in measured(runs)}
    with rc_context(STYLE):
        return {
            "workloads.svg": _workloads(ratios),
            "size.svg": _growth("message size, 10 connections", [_size(cell) for cell in SIZES], _costs(runs, SIZES)),
            "connections.svg": _growth(
                "connections, 64 B", [f"{cell.connections:,}" for cell in CONNECTIONS], _costs(runs, CONNECTIONS)
            ),
            "workers.svg": _workers(_costs(runs, WORKERS, (STENTOR,))),
        }


def _workloads(ratios: Curves) -> str:
    labels = "15,000 open: relative to the same server with 50 connections", "median of the rounds, lowest to highest"
    figure, axes = _axes("Throughput relative to C with epoll", *labels, SHORT_TITLES)
    width = 0.8 / len(ratios)
    for number, (name, spreads) in enumerate(ratios.items()):
        _bars(axes, name, spreads, shift=(number - (len(ratios) - 1) / 2) * width, width=width)
    targets = {at: cell.target for at, cell in enumerate(MAIN)}
    lefts, rights = [at - 0.45 for at in targets], [at + 0.45 for at in targets]
    axes.hlines([*targets.values()], lefts, rights, colors=INK, linestyles="dashed", linewidth=1.2, label="target")
    return _svg(figure, axes)


def _workers(costs: Curves) -> str:
    names = [cell.title for cell in WORKERS]
    figure, axes = _axes("Cost by number of workers", "64 B, a core for each worker", COST, names)
    axes.set_xlim(-1, len(WORKERS))
    _bars(axes, STENTOR, costs[STENTOR], shift=0, width=0.4)
    return _svg(figure, axes)


def _growth(label: str, names: Sequence[str], costs: Curves) -> str:
    figure, axes = _axes(f"Cost by {label.partition(',')[0]}", label, COST, names)
    ends = [end for spreads in costs.values() for found in spreads if found for end in (found.low, found.high)]
    if max(ends) > 20 * min(ends):
        axes.set_yscale("log")
        axes.set_ylim(min(ends) / 1.8, max(ends) * 1.8)
        axes.yaxis.set_major_formatter("{x:g}")
    else:
        axes.set_ylim(0, max(ends) * 1.15)
    for name, spreads in costs.items():
        points = {at: found for at, found in enumerate(spreads) if found}
        medians = [found.median for found in points.values()]
        axes.plot([*points], medians, "o-", label=TITLES[name], color=COLOURS[name], linewidth=2)
        axes.errorbar([*points], medians, _whiskers([*points.values()]), fmt="none", ecolor=COLOURS[name], elinewidth=1)
        for at, found in points.items():
            highest = all(found.median >= other.median for others in costs.values() if (other := others[at]))
            _note(axes, found.median, (at, found.high if highest else found.low), 6 if highest else -15)
    return _svg(figure, axes)


def _bars(axes: Axes, name: str, spreads: Sequence[Spread | None], *, shift: float, width: float) -> None:
    points = {at: found for at, found in enumerate(spreads) if found}
    medians, highs = ([getattr(found, part) for found in points.values()] for part in ("median", "high"))
    places = [at + shift for at in points]
    axes.bar(places, medians, width * 0.9, label=TITLES[name], color=COLOURS[name])
    axes.errorbar(places, medians, _whiskers([*points.values()]), fmt="none", ecolor=INK, elinewidth=1)
    if name == STENTOR:
        for place, median, high in zip(places, medians, highs, strict=True):
            _note(axes, median, (place, high), 3)


def _note(axes: Axes, value: float, place: tuple[float, float], points: int) -> None:
    """Write a value so many points above a place."""
    text = f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    axes.annotate(text, place, (0, points), textcoords="offset points", ha="center", fontsize=9)


def _whiskers(found: Sequence[Spread]) -> list[list[float]]:
    return [[one.median - one.low for one in found], [one.high - one.median for one in found]]


def _costs(runs: Sequence[Run], cells: Sequence[Cell], names: Sequence[str] = BOTH) -> Curves:
    return {name: [spread(runs, cell.name, name, lambda run: run.cpu_us) for cell in cells] for name in names}


def _size(cell: Cell) -> str:
    size = cell.size_bytes
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB" if size >= KIB else f"{size} B"


def _axes(title: str, below: str, beside: str, names: Sequence[str]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.6, 4.2), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.15))
    axes = figure.subplots()
    axes.set(title=title, xlabel=below, ylabel=beside)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(length=0)
    return figure, axes


def _svg(figure: Figure, axes: Axes) -> str:
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=5, borderaxespad=0.3)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Type")))
    return "\n".join(line.rstrip() for line in drawn.getvalue().splitlines()) + "\n"
