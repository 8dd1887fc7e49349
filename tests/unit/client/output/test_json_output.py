"""Where a command writes its result as JSON."""

from pathlib import Path

import pytest

from stentor_client.output.json_output import JsonOutput


def test_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file comes beside the text."""
    path = tmp_path / "result.json"
    output = JsonOutput(str(path))
    assert not output.in_place_of_text
    output.write({"one": 1})
    assert (path.read_text(), capfd.readouterr().out) == ('{\n  "one": 1\n}\n', "")


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    """On standard output it takes the text's place."""
    output = JsonOutput("-")
    assert output.in_place_of_text
    output.write({"one": 1})
    assert capfd.readouterr().out == '{\n  "one": 1\n}\n'


def test_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    """Without the option nothing is written."""
    output = JsonOutput(None)
    assert not output.in_place_of_text
    output.write({"one": 1})
    assert capfd.readouterr().out == ""
