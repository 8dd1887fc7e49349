"""Fixtures of the chassis' unit tests."""

from pathlib import Path

import pytest

from stentor_chassis.control import supervisor as supervisor_module
from stentor_chassis.counters.shared_counters import FIRST_WORKER
from unit.chassis.example import SCHEMA, NewCounters
from unit.chassis.team import STAYS_ON, NewTeam, Team, shell_command
from unit.looping import Events


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens pauses, and tries fewer times."""
    monkeypatch.setattr(supervisor_module, "BACKOFF_SECONDS", 0.005)
    monkeypatch.setattr(supervisor_module, "START_ATTEMPTS", 3)


@pytest.fixture
def team(new_counters: NewCounters, events: Events, tmp_path: Path, quick: None) -> NewTeam:
    """Makes a team of shell workers; call it within the loop."""

    def make(script: str = STAYS_ON, workers: int = 1) -> Team:
        counters = new_counters(SCHEMA, FIRST_WORKER + 2 * workers)
        files = {name: tmp_path / name for name in ("FIRST", "MENDED")}
        return Team(shell_command(files, script), counters, events, workers, files["MENDED"])

    return make
