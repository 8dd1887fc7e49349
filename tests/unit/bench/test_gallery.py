"""The charts of the results."""

import xml.etree.ElementTree as ET
from dataclasses import replace

from bench.gallery import SHORT_TITLES, charts
from bench.result import Result
from bench.workload import MAIN, SIZES


def test_all_charts_are_drawn(result: Result) -> None:
    """Each is well-formed, and named."""
    drawn = charts(result)
    assert sorted(drawn) == ["connections.svg", "size.svg", "workers.svg", "workloads.svg"]
    for chart in drawn.values():
        assert ET.fromstring(chart).tag.endswith("svg")
    assert ">0.90<" in drawn["workloads.svg"]
    assert ">256 KiB<" in drawn["size.svg"]


def test_a_cell_that_failed_leaves_a_gap(result: Result) -> None:
    """The rest is drawn."""
    runs = [replace(run, failure="gone") if run.cell == SIZES[0].name else run for run in result.runs]
    assert ET.fromstring(charts(replace(result, runs=runs))["size.svg"]).tag.endswith("svg")


def test_every_workload_has_a_short_title() -> None:
    """They stand under the bars."""
    assert len(SHORT_TITLES) == len(MAIN)
