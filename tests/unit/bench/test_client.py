"""The client as a load generator."""

import json
import sys
from pathlib import Path

import pytest

from bench import client
from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER
from bench.contender import Contender
from bench.measurement import Bench
from bench.workload import Timing

FIGURES = {"exchanges": 2000, "measured_seconds": 2.0, "late_sends": 3, "service_time_seconds": {"p50": 0.0001}}


def test_generators_by_turns(bench: Bench, peer: Contender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is measured in each cell, and the client at half its capacity besides; a client may fail."""
    arguments, tool = tmp_path / "arguments", tmp_path / "client"
    tool.write_text(
        f"#!{sys.executable}\nimport sys\nprint(*sys.argv[1:], file=open({str(arguments)!r}, 'a'))\n"
        f"print({json.dumps(FIGURES)!r})\n"
    )
    tool.chmod(0o700)
    monkeypatch.setattr(client, "COMMAND", str(tool))
    monkeypatch.setattr(client, "TIMING", Timing(rounds=1, seconds=0.1, warmup_seconds=0.05))
    runs = {(run.cell, run.contender): run for run in client.measure(bench, peer)}
    both = {(cell.name, name) for cell in CLOSED for name in (CLIENT, IN_C)}
    assert runs.keys() == both | {(HALF.name, CLIENT), (HALF.name, PACER)}
    assert {(run.rate, run.late_share) for run in runs.values() if run.contender == CLIENT} == {(1000.0, 0.0015)}
    assert runs[HALF.name, PACER].exchanges == 50
    assert all(run.exchanges > 0 for run in runs.values())
    shapes = [line.partition(" --json")[0].split(" ", 3)[3] for line in arguments.read_text().splitlines()]
    assert shapes == ["--closed", "--closed", "--rate 500"]
    monkeypatch.setattr(client, "COMMAND", "false")
    run = next(client.measure(bench, peer))
    assert (run.failure, run.exchanges) == ("exit code 1", 0)
