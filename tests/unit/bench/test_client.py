"""The client as a load generator."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import client
from bench.client import CLIENT, CLOSED, HALF, IN_C, PACER, TIMING, late_share, measure
from bench.contender import Contender
from bench.measurement import Run

FOUND: dict[str, Any] = {
    "exchanges": 2000,
    "measured_seconds": 2.0,
    "late_sends": 3,
    "service_time_seconds": {"p50": 0.0001},
}


class Generator:
    """A generator in C that always comes to the same."""

    @contextmanager
    def running(self, *_: object) -> Any:
        """Be it."""
        yield self

    def wait_for(self, stage: str) -> dict[str, Any]:
        """Return what came of it."""
        assert stage == "exchanges"
        return {"exchanges": 4000, "seconds": 2.0, "p50_us": 50.0}


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that notes its arguments and says what it is told to."""
    path = tmp_path / "client"
    path.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(tmp_path / 'arguments')!r}, 'a').write(' '.join(sys.argv[1:]) + chr(10))\n"
        f"print({json.dumps(FOUND)!r})\n",
        encoding="utf-8",
    )
    path.chmod(0o700)
    monkeypatch.setattr(client, "COMMAND", str(path))
    return tmp_path / "arguments"


@pytest.fixture
def runs(tool: Path, tmp_path: Path) -> list[Run]:
    """What is measured with it."""
    echo = Path(__file__).parents[3] / "bench" / "peers" / "asyncio_protocol.py"
    reference = Contender("reference", (sys.executable, str(echo)))
    return measure(reference, Generator(), tmp_path, lambda _: None)  # type: ignore[arg-type]


def test_everyone_in_turn(runs: list[Run], tool: Path) -> None:
    """Each is measured in each cell as often, and ours at half of its own rate besides."""
    count = TIMING.rounds
    for cell in CLOSED:
        for contender in (CLIENT, IN_C):
            assert [run.rate for run in runs if (run.cell, run.contender) == (cell.name, contender)] == [
                1000.0 if contender == CLIENT else 2000.0
            ] * count
    halves = [run for run in runs if run.cell == HALF.name]
    assert [late_share(run) for run in halves if run.contender == CLIENT] == [0.0015] * count
    paced = [run for run in halves if run.contender == PACER]
    assert [(run.exchanges, run.seconds >= 999 / 500) for run in paced] == [(1000, True)] * count
    assert all(0 <= late_share(run) < 1 for run in paced)
    lines = tool.read_text(encoding="utf-8").splitlines()
    assert sum("--rate 500 " in line for line in lines) == count
    assert sum("--closed" in line for line in lines) == 2 * count


def test_failure_of_ours_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that fails, of which a wrong reply is one way, has no figures."""
    monkeypatch.setattr(client, "COMMAND", "false")
    blank = Run("a cell", CLIENT, 1)
    assert client._ours(1, CLOSED[0], ("--closed",), blank).failure == "ended with 1"
    assert late_share(blank) == 1.0
