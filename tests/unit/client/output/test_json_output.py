"""The result of a command, as JSON and as text."""

import json
from pathlib import Path

import pytest

from stentor_chassis.failure import INTERNAL_ERROR, Failure
from stentor_client.output.json_output import JsonOutput
from stentor_client.output.standard_streams import write_out

RESULT = {"a": [1, "ü"]}


def _show() -> None:
    write_out(b"the text\n")


@pytest.mark.parametrize("kind", ["none", "-", "file"])
def test_json(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], kind: str) -> None:
    """With `-` the JSON replaces the text; otherwise the text is shown, and a file gets the JSON as well."""
    path = tmp_path / "result.json"
    JsonOutput({"none": None, "-": "-", "file": str(path)}[kind]).write(RESULT, _show)
    shown = capfdbinary.readouterr().out
    assert (json.loads(shown) == RESULT) if kind == "-" else (shown == b"the text\n")
    assert path.exists() == (kind == "file")
    assert kind != "file" or json.loads(path.read_bytes()) == RESULT


def test_disk_that_is_full(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A file that cannot be written after all costs the file, and not the text."""
    output = JsonOutput("/dev/full")
    with pytest.raises(Failure, match=r"^cannot write /dev/full: No space left on device$") as failure:
        output.write(RESULT, _show)
    assert (failure.value.code, capfdbinary.readouterr().out) == (INTERNAL_ERROR, b"the text\n")
