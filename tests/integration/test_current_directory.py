"""What somebody else put into the directory in which a service is started."""

from pathlib import Path

import pytest

from processes import Probe, Server, run


def test_no_code_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules and settings of libraries that lie in the current directory are neither run nor read."""
    for module in ("uvloop", "structlog", "json"):
        (tmp_path / f"{module}.py").write_text("open(__file__ + '.ran', 'w')\n")
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    monkeypatch.chdir(tmp_path)
    load = ("--rate", "50", "--duration", "300ms", "--warmup", "0", "--report", "load.svg")
    with Server() as server:
        with Probe(server.target):
            pass
        loaded = run("stentor-client", "load", "--target", server.target, *load)
    assert (loaded.returncode, loaded.stderr) == (0, b"")
    assert list(tmp_path.glob("*.ran")) == []
