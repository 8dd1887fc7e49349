"""The charts of the results."""

from collections.abc import Callable, Sequence

from bench.chart import Axis, Curve, Point, bar_chart, line_chart, linear_axis, logarithmic_axis
from bench.contender import STENTOR, TITLES
from bench.measurement import Run
from bench.peer import REFERENCE
from bench.ratio import Spread, spread
from bench.report import main_ratio, measured
from bench.result import Result
from bench.workload import CONNECTIONS, KIB, MAIN, MIB, SIZES, WORKERS, Cell

BESIDE = (STENTOR, "go", "node", "uvloop_protocol")  # the rest is in the table
SHORT_TITLES = ("64 B", "1 KiB", "64 KiB", "1 MiB", "32 deep", "connect", "15,000 open")
COST = "server processor time, µs per message"


def charts(result: Result) -> dict[str, str]:
    """Return the charts by the names of their files."""
    runs = result.runs
    return {
        "workloads.svg": _workloads(runs),
        "size.svg": _growth(runs, "Cost against message size", "message size, 10 connections", SIZES, _size),
        "connections.svg": _growth(
            runs, "Cost against connections", "connections, 64 B", CONNECTIONS, lambda cell: f"{cell.connections:,}"
        ),
        "workers.svg": _workers(runs),
    }


def _workloads(runs: Sequence[Run]) -> str:
    names = [name for name in BESIDE if name in measured(runs)]
    curves = [_curve(name, [main_ratio(runs, cell, name) for cell in MAIN]) for name in names]
    title = "Throughput, as ratio to C with epoll"
    axis = linear_axis("median of the rounds, with the least and the most; dashes: the targets", curves)
    horizontal = "the last: as ratio to the same server with 50 connections"
    return bar_chart(title, horizontal, SHORT_TITLES, axis, curves, [cell.target for cell in MAIN])


def _growth(
    runs: Sequence[Run], title: str, horizontal: str, cells: Sequence[Cell], name: Callable[[Cell], str]
) -> str:
    curves = _costs(runs, cells)
    return line_chart(title, horizontal, [name(cell) for cell in cells], _cost_axis(curves), curves)


def _workers(runs: Sequence[Run]) -> str:
    curves = [_curve(STENTOR, [spread(runs, cell.name, STENTOR, lambda run: run.cpu_us) for cell in WORKERS])]
    names = [cell.title for cell in WORKERS]
    return bar_chart("Cost against workers", "64 B, a core for each worker", names, linear_axis(COST, curves), curves)


def _costs(runs: Sequence[Run], cells: Sequence[Cell]) -> list[Curve]:
    return [
        _curve(name, [spread(runs, cell.name, name, lambda run: run.cpu_us) for cell in cells])
        for name in (STENTOR, REFERENCE)
    ]


def _curve(name: str, spreads: Sequence[Spread | None]) -> Curve:
    points = (Point(at, one.median, one.least, one.most) for at, one in enumerate(spreads) if one)
    return Curve(TITLES[name], tuple(points))


def _cost_axis(curves: Sequence[Curve]) -> Axis:
    """Return a logarithmic axis where the costs differ by more than a few times."""
    values = [point.value for curve in curves for point in curve.points]
    return logarithmic_axis(COST, curves) if max(values) > 8 * min(values) else linear_axis(COST, curves)


def _size(cell: Cell) -> str:
    size = cell.size_bytes
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB" if size >= KIB else f"{size} B"
