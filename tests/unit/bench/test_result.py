"""The file of results."""

import json
from dataclasses import replace
from pathlib import Path

from bench.result import Result


def test_what_is_saved_is_loaded(tmp_path: Path, result: Result) -> None:
    """Nothing is lost."""
    file = tmp_path / "results" / "full.json"
    result.save(file)
    assert Result.load(file) == result


def test_a_line_for_each_run(tmp_path: Path, result: Result) -> None:
    """So that a change can be read."""
    file = tmp_path / "full.json"
    result.save(file)
    lines = [line for line in file.read_text().splitlines() if line.startswith('  {"cell"')]
    assert len(lines) == len(result.runs)
    assert json.loads(lines[0].rstrip(","))["contender"] == "stentor"


def test_renewed(result: Result) -> None:
    """What is measured anew takes the place of its cells, all other runs stay."""
    again = replace(result.runs[0], exchanges=result.runs[0].exchanges + 1)
    renewed = result.renewed([again])
    others = [run for run in result.runs if run.cell != again.cell]
    assert len(others) < len(result.runs)
    assert renewed == replace(result, runs=[*others, again])


def test_renewed_with_nothing(result: Result) -> None:
    """What could not be measured anew does not take away what was: not where every run of a cell failed."""
    first = result.runs[0]
    failed = replace(first, failure="gone")
    assert result.renewed([failed]) == result
    assert result.renewed([first, failed]).runs[-2:] == [first, failed]
