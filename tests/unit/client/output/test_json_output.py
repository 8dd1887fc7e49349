"""The result of a command, as JSON and as text."""

from pathlib import Path

import pytest

from stentor_client.output.json_output import JsonOutput


def test_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file is written in addition to the text."""
    path = tmp_path / "result.json"
    JsonOutput(str(path)).write({"one": 1}, lambda: print("text"))
    assert (path.read_text(), capfd.readouterr().out) == ('{\n  "one": 1\n}\n', "text\n")


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """On standard output it replaces the text."""
    JsonOutput("-").write({"one": 1}, lambda: print("text"))
    assert capfd.readouterr().out == '{\n  "one": 1\n}\n'


def test_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    """Without the option there is only text."""
    JsonOutput(None).write({"one": 1}, lambda: print("text"))
    assert capfd.readouterr().out == "text\n"
