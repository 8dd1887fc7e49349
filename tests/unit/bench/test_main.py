"""The command line of the benchmarks."""

import signal
import sys
from pathlib import Path

import pytest

from bench import __main__ as command
from bench.workload import Timing


def test_against_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both servers are measured by turns, and their ratios are printed."""
    (tmp_path / ".venv-bench").symlink_to(sys.prefix)
    monkeypatch.setattr("bench.rounds.PAIR", Timing(1, seconds=0.05, warmup_seconds=0.0, first_seconds=0.0, slices=2))
    monkeypatch.setattr(command, "raise_descriptor_limit", lambda: command.DESCRIPTORS)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command.main(["quick", "--against", str(tmp_path), "--cells", "64B"]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("| 64 B, 50 connections | **")


def test_slow_python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A Python that is not optimised gets no results."""
    monkeypatch.setattr(sys, "base_prefix", "/opt/built-by-hand")
    monkeypatch.setattr("sysconfig.get_config_var", lambda _: "'--enable-shared'")
    assert command.main(["client"]) == 1
    assert "this Python is not optimised" in capsys.readouterr().err
