"""The command line of the benchmarks."""

import platform
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import client, document, memory
from bench.contender import Contender
from bench.measurement import Bench
from bench.memory import Memory
from bench.result import Result
from bench.rounds import Series
from bench.workload import Timing


@pytest.fixture
def checkout(tmp_path: Path) -> str:
    """Another checkout, with the same server."""
    (tmp_path / ".venv-bench").symlink_to(sys.prefix)
    return str(tmp_path)


def test_wrong_arguments(checkout: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are named."""
    for arguments, message in (
        (["--peers", "cobol"], "unknown: cobol"),
        (["--against", "/no-such-checkout"], "/no-such-checkout has no .venv-bench/bin/stentor-server"),
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


def test_what_is_saved_and_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], result: Result, peer: Contender
) -> None:
    """New runs replace old ones, `report` and part of a measurement save nothing, and failures are reported."""
    new, saved, written = replace(result.runs[-1], late=5), list[Result](), list[Result]()
    runs = [new, replace(new, failure="it is gone")]
    for owner, name, value in (
        (command, "contenders", lambda *_: ([replace(peer, name="epoll")], {"go": "not there"})),
        (command, "raise_descriptor_limit", lambda: command.DESCRIPTORS),
        (signal, "signal", lambda *_: None),
        (sys, "base_prefix", "/usr"),
        (client, "measure", lambda *_: runs),
        (Series, "runs", lambda *_: runs),
        (memory, "measure", lambda _, contender, round_: Memory(contender.name, round_)),
        (memory, "measure_many", lambda _: result.many),
        (Result, "load", lambda: result),
        (Result, "save", lambda one: saved.append(one)),  # noqa: PLW0108 # a method
        (document, "write", written.append),
    ):
        monkeypatch.setattr(owner, name, value)
    for arguments in (["report"], ["observation"], ["client"], ["quick"], []):
        assert command.main(arguments) == 0
    observed, used, full = saved
    assert [observed, used] == [result.renewed(runs * 2), result.renewed(runs)]
    assert written == [result, observed, used, full]
    assert (full.skipped, full.many, [one.round for one in full.memory]) == (
        {"go": "not there"},
        result.many,
        [1, 2, 3],
    )
    assert full.tools["python"] == f"{platform.python_version()}, the system's"
    assert platform.node() not in f"{full.machine}{full.tools}"
    assert capsys.readouterr().out.count("it is gone") == 2 + 1 + 1 + 7
    monkeypatch.setattr(command, "raise_descriptor_limit", lambda: 1024)
    assert command.main([]) == 1
    assert "set `ulimit -Hn` to 20000" in capsys.readouterr().err
    monkeypatch.setattr(sys, "base_prefix", "/opt/built-by-hand")
    monkeypatch.setattr("sysconfig.get_config_var", lambda _: "'--enable-shared'")
    assert command.main([]) == 1
    assert "this Python is not optimised" in capsys.readouterr().err
