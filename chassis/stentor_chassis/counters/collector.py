"""What Prometheus sees: the shared counters, the processes of the service, and its build."""

import platform
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from stentor_chassis.counters.metrics import Counter, Derived, Gauge, Histogram, Metric
from stentor_chassis.counters.shared_counters import LiveRows, SharedCounters


class CountersCollector(Collector):
    """Exports the shared counters; the rows are summed at each scrape."""

    def __init__(self, counters: SharedCounters, live_rows: LiveRows) -> None:
        """Ask `live_rows` at each scrape for the rows to read."""
        self._counters = counters
        self._schema = counters.schema
        self._live_rows = live_rows

    def collect(self) -> Iterator[Family]:
        """Yield every declared metric, all from the same copies of the rows."""
        totals, workers = self._counters.read(self._live_rows())
        for metric in self._schema.metrics:
            yield self._family(metric, totals, workers)

    def _family(self, metric: Metric, totals: list[int], workers: Mapping[int, list[list[int]]]) -> Family:
        name = f"{self._schema.prefix}_{metric.name}"
        if isinstance(metric, Derived):
            return self._derived(name, metric, totals, workers)
        if isinstance(metric, Histogram):
            return self._histogram(name, metric, totals)
        plain = CounterMetricFamily if isinstance(metric, Counter) else GaugeMetricFamily
        family = plain(name, metric.help, labels=_labels(metric), unit=metric.unit)
        scale = metric.scale if isinstance(metric, Gauge) else 1
        for value in metric.values or ("",):
            family.add_metric([value] if value else [], totals[self._schema.slot(metric, value)] * scale)
        return family

    @staticmethod
    def _derived(
        name: str, metric: Derived, totals: list[int], workers: Mapping[int, list[list[int]]]
    ) -> GaugeMetricFamily:
        if not metric.per_worker:
            return GaugeMetricFamily(name, metric.help, metric.compute(totals), unit=metric.unit)
        family = GaugeMetricFamily(name, metric.help, labels=_labels(metric), unit=metric.unit)
        for number, rows in workers.items():
            family.add_metric([str(number)], sum(metric.compute(row) for row in rows))
        return family

    def _histogram(self, name: str, metric: Histogram, totals: list[int]) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, metric.help, labels=_labels(metric), unit=metric.unit)
        bounds = [f"{bound * metric.scale:.12g}" for bound in metric.bounds] + ["+Inf"]
        for value in metric.values or ("",):
            first = self._schema.slot(metric, value)
            *counts, total = totals[first : first + metric.width]
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            family.add_metric([value] if value else [], buckets, total * metric.scale)
        return family


class ProcessesCollector(Collector):
    """The standard `process_*` metrics of every process of the service, with a label `process`."""

    def __init__(self, processes: Callable[[], Mapping[str, int]]) -> None:
        """Ask `processes` for the process ids at each scrape, such as `{"control": 1, "worker0": 7}`."""
        self._processes = processes

    def collect(self) -> Iterator[Family]:
        """Yield one family per metric with a sample per process; one that has just exited has none."""
        families: dict[str, Family] = {}
        for name, pid in self._processes().items():
            for family in ProcessCollector(pid=_constant(pid), registry=None).collect():
                kept = families.setdefault(family.name, Family(family.name, family.documentation, family.type))
                for sample in family.samples:
                    kept.add_sample(sample.name, {"process": name, **sample.labels}, sample.value)
        yield from families.values()


class BuildCollector(Collector):
    """The constant `stentor_build_info`."""

    def __init__(self, service: str, version: str) -> None:
        """Export these labels, and the version of Python."""
        self._labels = {"service": service, "version": version, "python": platform.python_version()}

    def collect(self) -> Iterator[Family]:
        """Yield the info metric."""
        yield InfoMetricFamily("stentor_build", "What is running.", value=self._labels)


def registry(
    counters: SharedCounters, version: str, live_rows: LiveRows, processes: Callable[[], Mapping[str, int]]
) -> CollectorRegistry:
    """Return a new registry with everything that the control process exports."""
    own = CollectorRegistry(auto_describe=True)  # so that `/metrics?name[]=` finds every metric
    own.register(CountersCollector(counters, live_rows))
    own.register(ProcessesCollector(processes))
    own.register(BuildCollector(counters.schema.service, version))
    return own


def _labels(metric: Metric) -> list[str]:
    return [metric.label] if metric.label else []


def _constant(pid: int) -> Callable[[], int]:
    return lambda: pid
