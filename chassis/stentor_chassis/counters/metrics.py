"""Declarations of metrics: names, help texts, labels, and the slots of the values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Concatenate, Literal, ParamSpec, Self, TypeVar

from stentor_chassis.counters.histogram import LATENCY_BOUNDS, NANOSECONDS, Slots
from stentor_chassis.counters.histogram import Histogram as HistogramSlots

UNITS = ("seconds", "bytes")  # base units only


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its name without the service's prefix, its help text, and one label with a closed set of values.

    By Prometheus convention the name ends with the unit, followed by `_total` for a counter.
    """

    name: str
    help: str
    label: str = ""
    values: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit of its values; empty if they are plain counts."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""

    @property
    def width(self) -> int:
        """How many slots one label value needs."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter(Metric):
    """A count that only grows and outlives the worker that counted.

    The count in `plus` is added when rows are merged, so that one addition on a hot path can count for several
    counters. The counter's own slot is then not the whole count.
    """

    plus: "Internal | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge(Metric):
    """A current value: the sum or the largest of the live workers' values, or the largest that any worker ever set."""

    across: Literal["sum", "max", "peak"] = "sum"
    scale: float = 1.0  # exported value = slot × scale; 1 / NANOSECONDS exports nanoseconds as seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram(Metric):
    """A distribution of durations, observed in nanoseconds and exported in seconds."""

    bounds: tuple[int, ...] = LATENCY_BOUNDS
    scale: float = 1 / NANOSECONDS

    @property
    def width(self) -> int:
        """One slot per bound, one above the last, one for the sum."""
        return HistogramSlots.size(self.bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived(Metric):
    """A gauge computed from a row at the scrape, so that it always agrees with the metrics it is computed from."""

    compute: Callable[[Sequence[int]], int]
    per_worker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Internal(Metric):
    """A value that is not exported: a signal between processes, or the common part of several counters.

    It is dropped when its worker exits; the counters that it is part of (`Counter.plus`) keep it.
    """


class RestartReason(StrEnum):
    """Why a worker was replaced."""

    EXIT = "exit"
    SIGNAL = "signal"
    HEARTBEAT = "heartbeat"
    START_TIMEOUT = "start_timeout"
    RELOAD = "reload"


class ReloadResult(StrEnum):
    """What became of a reload."""

    OK = "ok"
    FAILED = "failed"


HEARTBEAT = Internal(name="heartbeat", help="Heartbeats of the worker.")
WORKERS = Gauge(name="workers", help="Workers that are ready.")
RESTARTS = Counter(
    name="worker_restarts_total",
    help="Workers replaced, by reason; one that ended before it was ready is replaced by the next attempt.",
    label="reason",
    values=tuple(RestartReason),
)
LOOP_LAG = Histogram(
    name="event_loop_lag_seconds",
    help="How late a worker's event loop ran a timer that was due, sampled ten times a second.",
)
LOG_DROPPED = Counter(
    name="log_events_dropped_total",
    help="Log events dropped because the log sink was blocked, full or closed, or lost with a worker that was killed.",
)
LOG_WAITING = Internal(name="log_events_waiting", help="Log events not written yet.")


# Every service has these; they come last on the page, and first in a row.
COMMON = (HEARTBEAT, WORKERS, RESTARTS, LOOP_LAG, LOG_DROPPED, LOG_WAITING)

P = ParamSpec("P")
M = TypeVar("M", bound=Metric)


def _declaring(kind: Callable[P, M]) -> Callable[Concatenate[Any, P], M]:
    """Return a method of a schema that declares a metric of this kind."""

    def declare(schema: Any, /, *args: P.args, **kwargs: P.kwargs) -> M:
        metric = kind(*args, **kwargs)
        schema.add(metric)
        return metric

    return declare


class Schema:
    """Every metric of one service, and its slots in a row; slots are in the order of declaration."""

    counter = _declaring(Counter)
    gauge = _declaring(Gauge)
    histogram = _declaring(Histogram)
    derived = _declaring(Derived)
    internal = _declaring(Internal)

    def __init__(self, service: str, base: Self | None = None) -> None:
        """Begin with the metrics of `base`, in the same slots, or with those that every service has."""
        self.service = service
        self.prefix = service.replace("-", "_")
        self.declared: list[Metric] = []
        self.stored: list[Metric] = []
        self.sums: list[tuple[int, int]] = []  # slots of counters, and those of their `plus`
        self.row_slots = 0
        self._offsets: dict[tuple[str, str], int] = {}
        for metric in COMMON if base is None else base.declared:
            self.add(metric)

    @property
    def metrics(self) -> list[Metric]:
        """The exported metrics: the service's own, then those that every service has."""
        ordered = sorted(self.declared, key=COMMON.__contains__)
        return [metric for metric in ordered if not isinstance(metric, Internal)]

    def add(self, metric: Metric) -> None:
        """Assign the next slots to a metric."""
        self.declared.append(metric)
        if isinstance(metric, Derived):
            return
        self.stored.append(metric)
        for value in metric.values or ("",):
            self._offsets[metric.name, value] = self.row_slots
            self.row_slots += metric.width
        if isinstance(metric, Counter) and metric.plus is not None:
            self.sums.append((self.slot(metric), self.slot(metric.plus)))

    def slot(self, metric: Metric, value: str = "") -> int:
        """Return the first slot of a metric, or of one of its label values; raise `KeyError` if it is not declared."""
        return self._offsets[metric.name, value]

    def slots(self, metric: Metric) -> slice:
        """Return the adjacent slots of all label values of a metric."""
        first = self.slot(metric, metric.values[0] if metric.values else "")
        return slice(first, first + metric.width * max(1, len(metric.values)))

    def observer(self, metric: Histogram, row: Slots, value: str = "") -> HistogramSlots:
        """Return the histogram that observes into this metric's slots of `row`."""
        return HistogramSlots(metric.bounds, row, self.slot(metric, value))
