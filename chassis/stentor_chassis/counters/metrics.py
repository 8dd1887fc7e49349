"""What a service measures, declared once: names, helps, labels, and the slots that hold the values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from stentor_chassis.counters.histogram import LATENCY_BOUNDS, NANOSECONDS, Slots
from stentor_chassis.counters.histogram import Histogram as HistogramSlots

UNITS = ("seconds", "bytes")  # base units only


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric: its name without the service's prefix, its help, and one label with a closed set of values.

    As Prometheus has it, the name ends with the unit, before the `_total` of a counter: this is where it is declared.
    """

    name: str
    help: str
    label: str = ""
    values: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit of its values; empty for what is only counted."""
        last = self.name.removesuffix("_total").rpartition("_")[2]
        return last if last in UNITS else ""

    @property
    def width(self) -> int:
        """How many slots one label value takes."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter(Metric):
    """A count that only grows; it outlives the worker that counted.

    What is counted in `plus` belongs to it as well: so one addition on a hot path can count for several. It is added
    where rows are merged: the slot of one row alone is not the whole count.
    """

    plus: "Internal | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge(Metric):
    """A present value: the sum over the living workers, the largest of theirs, or the largest any worker ever set."""

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
    """A gauge computed from a row at the scrape, so that it can never disagree with what it is computed from."""

    compute: Callable[[Sequence[int]], int]
    per_worker: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Internal(Metric):
    """A number that is not exported by itself: what processes tell each other, or what counters have in common.

    Its slot is gone with its worker; what it adds to counters (`Counter.plus`) they keep.
    """


class RestartReason(StrEnum):
    """Why a worker was replaced."""

    EXIT = "exit"
    SIGNAL = "signal"
    HEARTBEAT = "heartbeat"
    RELOAD = "reload"


HEARTBEAT = Internal(name="heartbeat", help="Beats of the worker's heart.")
WORKERS = Gauge(name="workers", help="Data processes that are ready.")
RESTARTS = Counter(
    name="worker_restarts_total",
    help="Data processes replaced, by reason; one that ended before it was ready is replaced by the next attempt.",
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
LOG_WAITING = Internal(name="log_events_waiting", help="Log events that are not written yet.")


class Schema:
    """Where every metric of one service lives in a row of slots."""

    def __init__(self, service: str, metrics: Sequence[Metric]) -> None:
        """Lay out the service's metrics, in the order given, behind those that every service has."""
        self.service = service
        self.prefix = service.replace("-", "_")
        declared = (HEARTBEAT, *metrics, WORKERS, RESTARTS, LOOP_LAG, LOG_DROPPED, LOG_WAITING)
        self.metrics = tuple(metric for metric in declared if not isinstance(metric, Internal))
        self.stored = tuple(metric for metric in declared if not isinstance(metric, Derived))
        self._offsets: dict[tuple[str, str], int] = {}
        self.row_slots = 0
        for metric in self.stored:
            for value in metric.values or ("",):
                self._offsets[metric.name, value] = self.row_slots
                self.row_slots += metric.width
        counters = (metric for metric in self.stored if isinstance(metric, Counter))
        self.sums = tuple((self.slot(each), self.slot(each.plus)) for each in counters if each.plus is not None)

    def slot(self, metric: Metric, value: str = "") -> int:
        """Return the first slot of a metric, or of one of its label values; `KeyError` where it was not declared."""
        return self._offsets[metric.name, value]

    def slots(self, metric: Metric) -> slice:
        """Return the adjoining slots of all label values of a metric."""
        first = self.slot(metric, metric.values[0] if metric.values else "")
        return slice(first, first + metric.width * max(1, len(metric.values)))

    def histogram(self, metric: Histogram, row: Slots, value: str = "") -> HistogramSlots:
        """Return the histogram that observes into this metric's slots of `row`."""
        return HistogramSlots(metric.bounds, row, self.slot(metric, value))
