"""The documents that show the results."""

from pathlib import Path

import pytest

from bench import document
from bench.document import between, documents
from bench.result import FILE, Result


def test_between_markers() -> None:
    """What stood between the markers is replaced, and nothing else."""
    text = "a\n<!-- x -->\nold\n<!-- end: x -->\nb\n"
    assert between(text, "x", "new\n") == "a\n<!-- x -->\nnew\n<!-- end: x -->\nb\n"


@pytest.mark.parametrize("text", ["", "<!-- x -->\n", "<!-- end: x -->\n<!-- x -->\n"])
def test_missing_markers(text: str) -> None:
    """A document without both markers is left alone."""
    with pytest.raises(ValueError, match="no lines"):
        between(text, "x", "new\n")


def test_documents_show_the_last_results() -> None:
    """Tables and charts are those of the results that are kept."""
    stale = [path for path, text in documents(Result.load(FILE)).items() if (document.ROOT / path).read_text() != text]
    assert stale == []


def test_writing(tmp_path: Path, result: Result) -> None:
    """The documents are written with the charts beside them, the same each time."""
    (tmp_path / "docs").mkdir()
    for path in (document.README, document.PAGE):
        (tmp_path / path).write_text((document.ROOT / path).read_text())
    document.write(result, tmp_path)
    written = {path: path.read_text() for path in tmp_path.rglob("*.*")}
    document.write(result, tmp_path)
    assert {path: path.read_text() for path in tmp_path.rglob("*.*")} == written
    assert "**0.90**" in written[tmp_path / document.README]
    assert len(list((tmp_path / document.CHARTS).glob("*.svg"))) == 4
