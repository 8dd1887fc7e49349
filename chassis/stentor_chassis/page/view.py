"""The contents of a service's live page, declared in terms of its metrics."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stentor_chassis.counters.metrics import RESTARTS, Counter, Derived, Gauge, Histogram, Metric, RestartReason, Schema


@dataclass(frozen=True, slots=True)
class Line:
    """A counter as a rate, or the value of a gauge, over time; for a metric with a label, the sum of these `values`."""

    name: str
    metric: Counter | Gauge | Derived
    values: tuple[str, ...] = ()  # none: all values of the label


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines with the same unit."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram without a label, shown as percentiles, as bars, and as lines over time."""

    title: str
    metric: Histogram


@dataclass(frozen=True, slots=True)
class Table:
    """A counter by the values of its label; `failures` are highlighted unless they are 0."""

    title: str
    metric: Counter
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything on a service's page, in this order."""

    charts: tuple[Chart, ...] = ()
    distribution: Distribution | None = None
    tables: tuple[Table, ...] = ()


REPLACED = Table(
    "Workers replaced, by reason", RESTARTS, tuple(each for each in RestartReason if each is not RestartReason.RELOAD)
)


class Columns:
    """The slots that a view needs, as adjacent columns."""

    def __init__(self, schema: Schema, view: View) -> None:
        """Assign columns to each metric of `view`; raise `KeyError` if `schema` does not have it."""
        self._schema = schema
        self._view = view
        self._first: dict[Metric, int] = {}  # the column of each metric, or the first of several
        width = 0
        for metric in dict.fromkeys(self._metrics()):
            self._first[metric] = width
            slots = range(1) if isinstance(metric, Derived) else range(schema.row_slots)[schema.slots(metric)]
            width += len(slots)

    def read(self, totals: Sequence[int]) -> "array[int]":
        """Return the columns from merged slots."""
        row = array("q")
        for metric in self._first:
            if isinstance(metric, Derived):
                row.append(metric.compute(totals))
            else:
                row.extend(totals[self._schema.slots(metric)])
        return row

    def describe(self) -> dict[str, Any]:
        """Return the meaning of the columns as plain data; bounds of distributions are in seconds."""
        shown = self._view.distribution
        return {
            "charts": [
                {"title": chart.title, "lines": [self._line(line) for line in chart.lines]}
                for chart in self._view.charts
            ],
            "distribution": shown
            and {
                "title": shown.title,
                "help": shown.metric.help,
                "column": self._first[shown.metric],
                "bounds": [float(f"{bound * shown.metric.scale:.12g}") for bound in shown.metric.bounds],
            },
            "tables": [self._table(table) for table in self._view.tables],
            "replaced": self._table(REPLACED),
        }

    def _metrics(self) -> Iterator[Metric]:
        for chart in self._view.charts:
            yield from (line.metric for line in chart.lines)
        if self._view.distribution:
            yield self._view.distribution.metric
        yield from (table.metric for table in (*self._view.tables, REPLACED))

    def _line(self, line: Line) -> dict[str, Any]:
        metric, first = line.metric, self._first[line.metric]
        labels = metric.values or ("",)
        return {
            "name": line.name,
            "columns": [first + labels.index(value) for value in line.values or labels],
            "rate": isinstance(metric, Counter),
            "unit": metric.unit,
            "scale": metric.scale if isinstance(metric, Gauge) else 1,
        }

    def _table(self, table: Table) -> dict[str, Any]:
        return {
            "title": table.title,
            "label": table.metric.label,
            "column": self._first[table.metric],
            "values": table.metric.values,
            "failures": table.failures,
        }
