"""The command line of the benchmarks."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import document
from bench.measurement import Bench, Run
from bench.result import Result
from bench.rounds import Series
from bench.workload import Timing


@pytest.fixture
def checkout(tmp_path: Path) -> str:
    """Another checkout, with the same server."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return str(tmp_path)


def test_wrong_arguments(checkout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are named."""
    for arguments, message in (
        (["--peers", "cobol"], "unknown: cobol"),
        (["--against", "/no-such-checkout"], "/no-such-checkout has no .venv/bin/stentor-server"),
        (["--peers", "go", "--against", checkout], "--against goes with quick"),
    ):
        with pytest.raises(SystemExit, match="2"):
            command.main(["quick", *arguments])
        assert message in capsys.readouterr().err


def test_against_a_checkout(
    bench: Bench, checkout: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both servers are measured by turns, and their ratios are printed."""
    monkeypatch.setattr("bench.rounds.PAIR", Timing(1, seconds=0.05, warmup_seconds=0.0, first_seconds=0.0, slices=2))
    options = command._options(["quick", "--against", checkout, "--cells", "64B"])
    assert command._measure(options, bench.folder) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| 64 B, 50 connections | **")


def test_new_runs_are_saved_and_failures_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: Result, tmp_path: Path
) -> None:
    """`observation` saves its runs and writes the documents; `report` writes them without measuring."""
    new, written = replace(result.runs[-1], late=5), list[Result]()

    def runs(*_: object) -> Iterator[Run]:
        yield from (new, replace(new, failure="it is gone"))

    monkeypatch.setattr(Series, "runs", runs)
    monkeypatch.setattr(Result, "load", lambda: result)
    monkeypatch.setattr(Result, "save", lambda saved: written.append(saved))  # noqa: PLW0108 # a method
    monkeypatch.setattr(document, "write", written.append)
    assert command._measure(command._options(["observation"]), tmp_path) == 0
    assert written[0] == written[1]
    assert new in written[0].runs
    assert command.main(["report"]) == 0
    assert written[2:] == [result]
    assert "it is gone" in capsys.readouterr().out
