"""The command line of the benchmarks."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as bench
from bench import document
from bench.result import Result


def test_cells_come_with_what_they_are_compared_with() -> None:
    """A cell that is measured against another one brings it along."""
    assert [cell.name for cell in bench._cells(["idle"])] == ["64B", "idle"]
    assert len(bench._cells([])) == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["quick", "--peers", "cobol"], "unknown: cobol"), (["--cells", "64B,2B"], "unknown: 2B"), (["slow"], "slow")],
)
def test_unknown_names_are_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is not there is named."""
    with pytest.raises(SystemExit) as end:
        bench.main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_too_few_descriptors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where 15,000 connections cannot be opened, it says what to set."""
    monkeypatch.setattr(bench, "raise_descriptor_limit", lambda: 1024)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert bench.main(["quick"]) == 1
    assert "ulimit" in capsys.readouterr().err


def test_report_writes_the_documents(monkeypatch: pytest.MonkeyPatch, result: Result) -> None:
    """`report` measures nothing."""
    written: list[Result] = []
    monkeypatch.setattr(Result, "load", lambda: result)
    monkeypatch.setattr(document, "write", written.append)
    assert bench.main(["report"]) == 0
    assert written == [result]


def test_a_limited_run_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, result: Result
) -> None:
    """With --cells the table is printed, and neither results nor documents are touched."""

    class Made:
        timing: object
        measure = staticmethod(lambda *_: result.runs)

    monkeypatch.setattr(bench, "Generator", lambda _: None)
    monkeypatch.setattr(bench, "contenders", lambda *_: ([], {"go": "not there"}))
    monkeypatch.setattr(bench, "main_series", lambda *_: Made())
    monkeypatch.setattr(document, "write", lambda *_: pytest.fail("written"))
    options = bench._parser().parse_args(["--cells", "64B"])
    assert bench._measure(options, tmp_path) == 0
    said = capsys.readouterr()
    assert "skipped go: not there" in said.err
    assert "| 64 B, 50 connections |" in said.out


def test_observation_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, result: Result
) -> None:
    """What observation costs is measured without any peer; a run that failed is told, and takes nothing away."""
    failed = replace(result.runs[0], failure="it is gone")

    class Made:
        measure = staticmethod(lambda *_: [failed])

    monkeypatch.setattr(bench, "Generator", lambda _: None)
    monkeypatch.setattr(bench, "contenders", lambda *_: pytest.fail("peers are built"))
    monkeypatch.setattr(bench, "observation_series", lambda _: [Made()])
    monkeypatch.setattr(Result, "load", lambda: result)
    monkeypatch.setattr(Result, "save", lambda saved: saved.runs == result.runs or pytest.fail("a run is lost"))
    monkeypatch.setattr(document, "write", lambda _: None)
    assert bench._measure(bench._parser().parse_args(["observation"]), tmp_path) == 0
    assert "it is gone" in capsys.readouterr().out
