"""The questions that docs/operations.md puts to the logs, put to real ones."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from event_table import COMMON, EVENTS
from processes import Probe, Server
from proxies import program

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
RECIPES = re.findall(r"^```jq\n(.*?)^```$", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
FAULTS = [word for fault in ("corrupt=0.2", "truncate=0.2", "reset=0.2", "refuse=0.3") for word in ("--fault", fault)]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the logs of a pair that had a hard time: something went wrong in each way, and something right."""
    folder = tmp_path_factory.mktemp("logs")
    options = ("--workers", "1", "--allow-faults", *FAULTS, "--fault-seed", "3")
    with Server(*options) as server, Probe(server.target, "--interval", "500ms", "--connection", "mixed") as probe:
        for outcome in ("mismatch", "short", "reset"):
            probe.event("exchange.failed", outcome=outcome)
        probe.event("exchange.completed", 2)
        lost = probe.event("connection.lost", outcome="mismatch")
        server.event("connection.closed", peer=lost["local"])
        server.event("connection.rejected")
    for name, service in (("server", server), ("client", probe)):
        lines = (f"{json.dumps(event)}\n" for event in service.events)
        (folder / f"{name}.log").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: re.sub(r"\W+", "_", recipe)[:40])
def test_recipe(logs: Path, recipe: str) -> None:
    """Typed as it stands, each is answered, and no answer lacks what it is about."""
    assert recipe.startswith("jq ")
    program("jq")
    done = subprocess.run(["bash", "-c", recipe], cwd=logs, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers
    keys = {key for answer in answers for key in answer}
    assert [key for key in keys if all(answer.get(key) is None for answer in answers)] == []


@pytest.mark.parametrize("name", ["server", "client"])
def test_events_have_their_keys(logs: Path, name: str) -> None:
    """Every line has the keys that the document says its event has, and no others."""
    lines = [json.loads(line) for line in (logs / f"{name}.log").read_text(encoding="utf-8").splitlines()]
    assert len({line["event"] for line in lines}) > 5
    for line in lines:
        keys, documented = line.keys() - COMMON, EVENTS[line["event"]]
        assert keys <= documented.keys(), line
        assert {key for key, always in documented.items() if always} <= keys, line
        assert line.keys() >= COMMON
