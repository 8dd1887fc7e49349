"""A file for what a command finds out."""

import os
import threading
from pathlib import Path

import click
import pytest

from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, Failure
from stentor_chassis.options.option import option
from stentor_client.output.output_file import OutputFile


@click.command()
@option("--save")
def _save(save: str) -> None:
    """Have such an option."""


def _output(path: Path | str) -> OutputFile:
    """Take a path as the command would of which it is an option."""
    with click.Context(_save):
        return OutputFile("save", str(path))


def test_old_content_stays(tmp_path: Path) -> None:
    """What a file holds stays until there is something new, which is all that it holds then."""
    path = tmp_path / "file"
    path.write_text("what was there before")
    output = _output(path)
    assert path.read_text() == "what was there before"
    output.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("linked", [False, True], ids=["file", "link"])
def test_nothing_is_made_before(tmp_path: Path, *, linked: bool) -> None:
    """A file that is not there is made when it is written, also where a link leads to it."""
    path = tmp_path / "file"
    if linked:
        path.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.iterdir())
    output = _output(path)
    assert sorted(tmp_path.iterdir()) == before
    output.write(b"new")
    assert (path.read_bytes(), path.is_symlink()) == (b"new", linked)


@pytest.mark.parametrize(
    ("path", "why"),
    [("/nowhere/file", "No such file or directory"), ("/", "Is a directory")],
)
def test_cannot_be_written(path: str, why: str) -> None:
    """It is said before the work, with the name of the option."""
    with pytest.raises(click.BadParameter) as error:
        _output(path)
    assert f"cannot write {path}: {why}" in error.value.format_message()
    assert "--save" in error.value.format_message()


def test_pipe_with_a_name(tmp_path: Path) -> None:
    """A pipe is opened once: its reader gets the data, and not an end before them."""
    path, read = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    _output(path).write(b"new")
    reader.join(10)
    assert read == [b"new"]


def test_reader_that_leaves(tmp_path: Path) -> None:
    """Where the reader of a pipe has gone the code says so, without a word."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    output = _output(path)
    os.close(reader)
    with pytest.raises(Failure) as failure:
        output.write(b"new")
    assert (failure.value.code, failure.value.message) == (READER_GONE, "")


def test_disk_that_is_full() -> None:
    """What takes nothing is told in one line."""
    output = _output("/dev/full")
    with pytest.raises(Failure, match=r"^cannot write /dev/full: No space left on device$") as failure:
        output.write(b"new")
    assert failure.value.code == INTERNAL_ERROR


def test_gone_meanwhile(tmp_path: Path) -> None:
    """So is a place that is gone when the work is done."""
    place = tmp_path / "place"
    place.mkdir()
    output = _output(place / "file")
    place.rmdir()
    with pytest.raises(Failure, match=r"/place/file: No such file or directory$") as failure:
        output.write(b"new")
    assert failure.value.code == INTERNAL_ERROR
