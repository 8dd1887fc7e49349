"""Exported metrics: the shared counters, the processes of the service, and its build."""

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Info, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from stentor_chassis.counters.metrics import Counter, Derived, Gauge, Histogram, Metric
from stentor_chassis.counters.shared_counters import LiveRows, SharedCounters

KINDS: dict[type[Metric], Any] = {Counter: CounterMetricFamily, Histogram: HistogramMetricFamily}  # the rest are gauges


@dataclass(frozen=True)
class CountersCollector(Collector):
    """Exports the shared counters; the rows are summed at each scrape."""

    counters: SharedCounters
    live_rows: LiveRows  # called at each scrape

    def collect(self) -> Iterator[Family]:
        """Yield every declared metric, all from the same copies of the rows."""
        totals, workers = self.counters.read(self.live_rows())
        for metric in self.counters.schema.metrics:
            yield self._family(metric, totals, workers)

    def _family(self, metric: Metric, totals: list[int], workers: Mapping[int, list[list[int]]]) -> Any:
        kind = KINDS.get(type(metric), GaugeMetricFamily)
        labels = [metric.label] if metric.label else []
        family = kind(f"{self.counters.schema.prefix}_{metric.name}", metric.help, labels=labels, unit=metric.unit)
        if isinstance(metric, Derived):
            by_worker = {str(number): rows for number, rows in workers.items()}
            for value, rows in by_worker.items() if metric.per_worker else [("", [totals])]:
                family.add_metric([value] if value else [], sum(map(metric.compute, rows)))
            return family
        for value in metric.values or ("",):
            first = self.counters.schema.slot(metric, value)
            if isinstance(metric, Histogram):
                *counts, total = totals[first : first + metric.width]
                bounds = [f"{bound * metric.scale:.12g}" for bound in metric.bounds] + ["+Inf"]
                buckets = list(zip(bounds, accumulate(counts), strict=True))
                family.add_metric([value] if value else [], buckets, total * metric.scale)
            else:
                scale = metric.scale if isinstance(metric, Gauge) else 1
                family.add_metric([value] if value else [], totals[first] * scale)
        return family


@dataclass(frozen=True)
class ProcessesCollector(Collector):
    """The standard `process_*` metrics of every process of the service, with a label `process`."""

    processes: Callable[[], Mapping[str, int]]  # returns process ids, such as `{"control": 1, "worker0": 7}`

    def collect(self) -> Iterator[Family]:
        """Yield one family per metric with a sample per process; one that has just exited has none."""
        families: dict[str, Family] = {}
        for name, pid in self.processes().items():
            for family in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                kept = families.setdefault(family.name, Family(family.name, family.documentation, family.type))
                for sample in family.samples:
                    kept.add_sample(sample.name, {"process": name, **sample.labels}, sample.value)
        yield from families.values()


def registry(
    counters: SharedCounters, version: str, live_rows: LiveRows, processes: Callable[[], Mapping[str, int]]
) -> CollectorRegistry:
    """Return a new registry with everything that the control process exports."""
    own = CollectorRegistry(auto_describe=True)  # so that `/metrics?name[]=` finds every metric
    own.register(CountersCollector(counters, live_rows))
    own.register(ProcessesCollector(processes))
    build = {"service": counters.schema.service, "version": version, "python": platform.python_version()}
    Info("stentor_build", "What is running.", registry=own).info(build)
    return own
