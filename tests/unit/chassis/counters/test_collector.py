"""What Prometheus sees."""

import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from stentor_chassis.counters.collector import BuildCollector, CountersCollector, ProcessesCollector, registry
from stentor_chassis.counters.metrics import Counter, Derived, Gauge, Histogram, Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_client.metrics import SCHEMA as CLIENT
from stentor_server.metrics import SCHEMA as SERVER
from unit.chassis.example import ENDED, NEWEST, PHASES, SCHEMA, SPAN, TAKEN, WAITING

NewCounters = Callable[[Schema, int], SharedCounters]
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
ROWS = {0: [2], 1: [3, 4]}  # worker 1 is being replaced: it and its successor have a row each


def _samples(families: Iterable[Family]) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for each in families for sample in each.samples
    }


def _as_text(exported: CollectorRegistry) -> Samples:
    return _samples(parse_text(generate_latest(exported).decode()))


def _as_openmetrics(exported: CollectorRegistry) -> Samples:
    text = generate_openmetrics(exported).decode()  # type: ignore[no-untyped-call]
    return _samples(parse_openmetrics(text))  # type: ignore[no-untyped-call]


FORMATS = {"text": _as_text, "openmetrics": _as_openmetrics}


def _exported(counters: SharedCounters, live_rows: Mapping[int, list[int]] = ROWS) -> CollectorRegistry:
    own = CollectorRegistry()
    own.register(CountersCollector(counters, lambda: live_rows))
    return own


def _key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"{SCHEMA.prefix}_{name}", frozenset(labels.items())


def _declared(schema: Schema) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return name and labels of every series that a schema declares, but for those by worker."""
    series = set()
    for metric in schema.metrics:
        if isinstance(metric, Derived) and metric.per_worker:
            continue
        for value in metric.values or ("",):
            labels = {metric.label: value} if value else {}
            name = f"{schema.prefix}_{metric.name}"
            if isinstance(metric, Histogram):
                bounds = [f"{bound * metric.scale:.12g}" for bound in metric.bounds] + ["+Inf"]
                series |= {(f"{name}_bucket", frozenset({**labels, "le": bound}.items())) for bound in bounds}
                series |= {(f"{name}_{part}", frozenset(labels.items())) for part in ("count", "sum")}
            else:
                series.add((name, frozenset(labels.items())))
    return series


@pytest.mark.parametrize("schema", [SERVER, CLIENT], ids=lambda schema: schema.service)
def test_units(new_counters: NewCounters, schema: Schema) -> None:
    """OpenMetrics tells the unit of what has one: every distribution is of seconds, and nothing else is by mistake."""
    text = generate_openmetrics(_exported(new_counters(schema, 5), {})).decode()  # type: ignore[no-untyped-call]
    units = {family.name: family.unit for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]
    declared = {f"{schema.prefix}_{metric.name.removesuffix('_total')}": metric for metric in schema.metrics}
    assert units == {name: metric.unit for name, metric in declared.items()}
    assert {units[name] for name, metric in declared.items() if isinstance(metric, Histogram)} == {"seconds"}
    assert units[f"{schema.prefix}_received_bytes"] == "bytes"
    assert units[f"{schema.prefix}_connections_active"] == ""


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("schema", [SCHEMA, SERVER, CLIENT], ids=lambda schema: schema.service)
def test_every_series_is_there_from_the_start(new_counters: NewCounters, schema: Schema, form: str) -> None:
    """Before anything happened, every declared series of every label value is exported, and is 0."""
    samples = FORMATS[form](_exported(new_counters(schema, 5), {}))
    assert _declared(schema) == samples.keys()
    assert {0.0} == set(samples.values())


@pytest.mark.parametrize("form", FORMATS)
def test_values(new_counters: NewCounters, form: str) -> None:
    """Exported values are the exact sums over the rows in use, counted in base units."""
    counters = new_counters(SCHEMA, 6)
    for number, row in enumerate(counters.row(each) for each in range(6)):
        row[SCHEMA.slot(TAKEN)] = 10**number
        row[SCHEMA.slot(ENDED, "worn")] = number
        row[SCHEMA.slot(WAITING)] = 1 << 40
        row[SCHEMA.slot(NEWEST)] = 7 - number
        for nanoseconds in (1_000_000, 1_000_001, 3_000_000_000):
            SCHEMA.observer(SPAN, row).observe(nanoseconds)
        SCHEMA.observer(PHASES, row, "last").observe(50)
    samples = FORMATS[form](_exported(counters))
    # Rows 0 and 1 are of the control process and of who is gone; row 5 is nobody's: what is in it does not count.
    assert samples[_key("taken_total")] == 11111
    assert samples[_key("ended_total", reason="worn")] == 10
    assert samples[_key("ended_total", reason="lost")] == 0
    assert samples[_key("open")] == 11101
    assert samples[_key("worker_open", worker="0")] == 100 - 2
    assert samples[_key("worker_open", worker="1")] == 11000 - 7
    assert samples[_key("waiting")] == 5 << 40
    assert samples[_key("newest_seconds")] == 3.5
    assert samples[_key("span_seconds_bucket", le="0.001")] == 5
    assert samples[_key("span_seconds_bucket", le="2")] == 10
    assert samples[_key("span_seconds_bucket", le="+Inf")] == samples[_key("span_seconds_count")] == 15
    assert samples[_key("span_seconds_sum")] == pytest.approx(5 * 3.002000001)
    assert samples[_key("phase_seconds_count", phase="last")] == 5
    assert samples[_key("phase_seconds_count", phase="first")] == 0


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3_000_000_000), max_size=50), st.lists(st.integers(0, 3_000_000_000), max_size=50))
def test_histograms_are_cumulative(some: list[int], others: list[int]) -> None:
    """The buckets of two workers' histograms count everything at or below their bound, and the sum is exact."""
    counters = SharedCounters(SCHEMA, 4)
    try:
        for row, values in ((2, some), (3, others)):
            for value in values:
                SCHEMA.observer(SPAN, counters.row(row)).observe(value)
        samples = _as_text(_exported(counters, {0: [2], 1: [3]}))
    finally:
        os.close(counters.fd)
    together = some + others
    counts = [sum(value <= bound for value in together) for bound in SPAN.bounds] + [len(together)]
    exported = [samples[_key("span_seconds_bucket", le=bound)] for bound in ("0.001", "2", "+Inf")]
    assert counts == exported == sorted(exported)
    assert samples[_key("span_seconds_sum")] == pytest.approx(sum(together) / 1e9)


def test_accounts_balance_while_workers_come_and_go(new_counters: NewCounters) -> None:
    """At a scrape, taken is open plus ended, whichever rows are in use and however they were folded."""
    counters = new_counters(SCHEMA, 5)
    live: dict[int, list[int]] = {}
    exported = _exported(counters, live)
    for live_rows, gone in (({0: [2]}, 0), ({0: [2, 3]}, 0), ({0: [3]}, 2), ({0: [3], 1: [4]}, 0), ({1: [4]}, 3)):
        if gone:
            row = counters.row(gone)
            row[SCHEMA.slot(ENDED, "lost")] += row[SCHEMA.slot(TAKEN)] - sum(row[SCHEMA.slots(ENDED)])
            counters.absorb(gone)
        live.clear()
        live.update(live_rows)
        for rows in live.values():
            for number in rows:
                counters.row(number)[SCHEMA.slot(TAKEN)] += 10
                counters.row(number)[SCHEMA.slot(ENDED, "worn")] += 3
        samples = _as_text(exported)
        ended = sum(samples[_key("ended_total", reason=reason)] for reason in ENDED.values)
        assert samples[_key("taken_total")] == samples[_key("open")] + ended
        by_worker = sum(samples[_key("worker_open", worker=str(number))] for number in live)
        assert samples[_key("open")] == by_worker
    assert samples[_key("taken_total")] == 70


def test_types_and_helps(new_counters: NewCounters) -> None:
    """Every family has the type and the help that were declared."""
    families = {
        family.name: family for family in parse_text(generate_latest(_exported(new_counters(SCHEMA, 5))).decode())
    }
    types = {Counter: "counter", Gauge: "gauge", Derived: "gauge", Histogram: "histogram"}
    for metric in SCHEMA.metrics:
        family = families[f"{SCHEMA.prefix}_{metric.name.removesuffix('_total')}"]
        assert types[type(metric)] == family.type
        assert metric.help == family.documentation


def test_metrics_by_name(new_counters: NewCounters) -> None:
    """A scraper can ask for some metrics only, by name, whichever collector has them."""
    own = registry(new_counters(SCHEMA, 5), "1", dict, lambda: {"control": os.getpid()})
    names = {"an_example_workers", "process_open_fds", "stentor_build_info"}
    assert names == {sample.name for family in own.restricted_registry([*names]).collect() for sample in family.samples}


def test_processes() -> None:
    """Every process of the service has its own standard metrics, told apart by a label."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"running\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"running\n"
        samples = _samples(ProcessesCollector(lambda: {"control": os.getpid(), "worker0": child.pid}).collect())
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"):
        assert {"control", "worker0"} == {dict(labels)["process"] for key, labels in samples if key == name}
    assert samples["process_resident_memory_bytes", frozenset({("process", "worker0")})] > 0


@pytest.mark.parametrize("form", FORMATS)
def test_processes_are_parsable(form: str) -> None:
    """The metrics of several processes make one family per name."""
    own = CollectorRegistry()
    own.register(ProcessesCollector(lambda: {"control": os.getpid(), "worker0": os.getpid()}))
    samples = FORMATS[form](own)
    assert sum(name == "process_open_fds" for name, _ in samples) == 2


def test_process_that_has_gone() -> None:
    """A process that went between the question and the answer has no samples, and spoils nobody else's."""
    with subprocess.Popen(["/bin/true"]) as child:
        child.wait()
    samples = _samples(ProcessesCollector(lambda: {"gone": child.pid, "control": os.getpid()}).collect())
    assert {"control"} == {dict(labels)["process"] for _, labels in samples}


def test_build_info() -> None:
    """What is running is a constant 1 with its labels."""
    own = CollectorRegistry()
    own.register(BuildCollector("a-service", "1.2.3"))
    labels = {"service": "a-service", "version": "1.2.3", "python": platform.python_version()}
    assert {("stentor_build_info", frozenset(labels.items())): 1.0} == _as_text(own)


@pytest.mark.parametrize("form", FORMATS)
def test_registry_has_it_all(new_counters: NewCounters, form: str) -> None:
    """The control process exports the counters, the processes and the build, and nothing of the library's own."""
    processes: dict[str, Any] = {"control": os.getpid()}
    names = {name for name, _ in FORMATS[form](registry(new_counters(SCHEMA, 5), "1", lambda: ROWS, lambda: processes))}
    prefixes = ("an_example_", "process_", "stentor_build_info")
    assert all(any(name.startswith(prefix) for name in names) for prefix in prefixes)
    assert all(name.startswith(prefixes) for name in names)
