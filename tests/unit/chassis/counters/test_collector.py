"""What Prometheus sees."""

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from stentor_chassis.counters.collector import ProcessesCollector, registry
from stentor_chassis.counters.metrics import Counter, Derived, Gauge, Histogram, Schema
from stentor_chassis.counters.shared_counters import SharedCounters
from stentor_client.metrics import SCHEMA as CLIENT
from stentor_server.metrics import SCHEMA as SERVER
from unit.chassis.example import ENDED, NEWEST, PHASES, SCHEMA, SPAN, TAKEN, WAITING, NewCounters

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
ROWS = {0: [2], 1: [3, 4]}  # worker 1 is being replaced: it and its successor have a row each
TYPES = {Counter: "counter", Gauge: "gauge", Derived: "gauge", Histogram: "histogram"}


def _samples(families: Iterable[Family]) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for each in families for sample in each.samples
    }


def _as_text(exported: CollectorRegistry) -> list[Family]:
    return list(parse_text(generate_latest(exported).decode()))


def _as_openmetrics(exported: CollectorRegistry) -> list[Family]:
    text = generate_openmetrics(exported).decode()  # type: ignore[no-untyped-call]
    return list(parse_openmetrics(text))  # type: ignore[no-untyped-call]


FORMATS = {"text": _as_text, "openmetrics": _as_openmetrics}


def _exported(counters: SharedCounters, live_rows: Mapping[int, list[int]] = ROWS) -> CollectorRegistry:
    return registry(counters, "1.2.3", lambda: live_rows, lambda: {"control": os.getpid(), "worker0": os.getpid()})


def _key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"{SCHEMA.prefix}_{name}", frozenset(labels.items())


def _declared(schema: Schema) -> set[tuple[str, frozenset[tuple[str, str]]]]:
    """Return name and labels of every series that a schema declares, except those by worker."""
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


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("schema", [SCHEMA, SERVER, CLIENT], ids=lambda schema: schema.service)
def test_every_series_is_there_from_the_start(new_counters: NewCounters, schema: Schema, form: str) -> None:
    """Before anything happened every declared series is exported as 0, with type, help and, in OpenMetrics, unit."""
    families = FORMATS[form](_exported(new_counters(schema, 5), {}))
    own = [family for family in families if family.name.startswith(schema.prefix)]
    assert _declared(schema) == _samples(own).keys()
    assert {0.0} == set(_samples(own).values())
    for metric, family in zip(schema.metrics, own, strict=True):
        assert f"{schema.prefix}_{metric.name.removesuffix('_total')}" == family.name
        assert (TYPES[type(metric)], metric.help) == (family.type, family.documentation)
        assert family.unit == (metric.unit if form == "openmetrics" else "")
        assert metric.unit == "seconds" or not isinstance(metric, Histogram)


@pytest.mark.parametrize("form", FORMATS)
def test_values(new_counters: NewCounters, form: str) -> None:
    """Exported values are the exact sums over the rows in use, in base units."""
    counters = new_counters(SCHEMA, 6)
    for number, row in enumerate(counters.row(each) for each in range(6)):
        row[SCHEMA.slot(TAKEN)] = 10**number
        row[SCHEMA.slot(ENDED, "worn")] = number
        row[SCHEMA.slot(WAITING)] = 1 << 40
        row[SCHEMA.slot(NEWEST)] = 7 - number
        for nanoseconds in (1_000_000, 1_000_001, 3_000_000_000):
            SCHEMA.observer(SPAN, row).observe(nanoseconds)
        SCHEMA.observer(PHASES, row, "last").observe(50)
    samples = _samples(FORMATS[form](_exported(counters)))
    # Row 5 is not in use.
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


@pytest.mark.parametrize("form", FORMATS)
def test_processes_and_build(new_counters: NewCounters, form: str) -> None:
    """Each process has the standard metrics, the build is a constant 1, and nothing else of the library is there."""
    samples = _samples(FORMATS[form](_exported(new_counters(SCHEMA, 5))))
    for name in ("process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"):
        assert {"control", "worker0"} == {dict(labels)["process"] for key, labels in samples if key == name}
    assert samples["process_resident_memory_bytes", frozenset({("process", "worker0")})] > 0
    build = {"service": "an-example", "version": "1.2.3", "python": platform.python_version()}
    assert samples["stentor_build_info", frozenset(build.items())] == 1
    assert all(name.startswith(("an_example_", "process_", "stentor_build_info")) for name, _ in samples)


def test_process_that_has_exited() -> None:
    """A process that has just exited has no samples; those of others are complete."""
    with subprocess.Popen(["/bin/true"]) as child:
        child.wait()
    samples = _samples(ProcessesCollector(lambda: {"gone": child.pid, "control": os.getpid()}).collect())
    assert {"control"} == {dict(labels)["process"] for _, labels in samples}
