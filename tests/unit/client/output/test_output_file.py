"""A file for what a command finds out."""

import errno
import os
import signal
import threading
from pathlib import Path

import click
import pytest

from stentor_chassis.failure import INTERNAL_ERROR, READER_GONE, Failure
from stentor_chassis.options.option import option
from stentor_client.output import output_file
from stentor_client.output.output_file import OutputFile


@click.command()
@option("--save")
def _save(save: str) -> None:
    """Have such an option."""


def _output(path: Path | str) -> OutputFile:
    """Take a path as the command would of which it is an option."""
    with click.Context(_save):
        return OutputFile("save", str(path))


@pytest.mark.parametrize("kind", ["missing", "old", "link"])
def test_only_the_end_changes_a_file(tmp_path: Path, kind: str) -> None:
    """A file is created, or its content replaced, only when there is something to write, also through a link."""
    path = tmp_path / "file"
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    if kind == "old":
        path.write_text("what was there before")

    def state() -> dict[str, str]:
        return {each.name: each.read_text() for each in tmp_path.iterdir() if each.exists()}

    before = state()
    output = _output(path)
    assert state() == before
    output.write(b"new")
    assert (path.read_bytes(), path.is_symlink()) == (b"new", kind == "link")


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


@pytest.mark.parametrize("there", [False, True], ids=["new", "old"])
def test_link_that_is_swapped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    """Where others can write to the folder, a link put there at any moment leads to nothing elsewhere."""
    path, victim, open_file = tmp_path / "shared" / "file", tmp_path / "victim", os.open
    path.parent.mkdir()
    victim.write_text("precious")
    if there:
        path.touch()

    def swap(name: str, flags: int, *arguments: int, **options: int) -> int:
        fd = open_file(name, flags, *arguments, **options)
        if not flags & os.O_PATH:
            path.unlink(missing_ok=True)
            path.symlink_to(victim)
        return fd

    with monkeypatch.context() as swapping:
        swapping.setattr(os, "open", swap)
        output = _output(path)
    assert victim.read_text() == "precious"
    path.unlink()
    with monkeypatch.context() as swapping:
        swapping.setattr(os, "open", swap)
        output.write(b"new")
    assert (victim.read_text(), path.read_bytes(), path.is_symlink()) == ("precious", b"new", False)


def test_link_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that neither we nor root have made is not followed."""
    path = tmp_path / "file"
    path.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(os, "geteuid", lambda: path.lstat().st_uid + 1)
    monkeypatch.setattr(output_file, "_ROOT", -1)
    with pytest.raises(click.BadParameter, match=r"file: it is a link owned by another user$"):
        _output(path)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()], ids=["full", "interrupted"])
def test_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """What cannot be written to its end leaves the file as it was, and nothing beside it."""

    def write_half(fd: int, data: bytes) -> None:
        os.write(fd, data[:1])
        raise error

    path = tmp_path / "file"
    path.write_text("old")
    output = _output(path)
    monkeypatch.setattr(output_file, "write_all", write_half)
    with pytest.raises((Failure, KeyboardInterrupt)):
        output.write(b"new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_terminated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM while the file is written takes effect when it is complete, and nothing is beside it."""

    def write_and_terminate(fd: int, data: bytes) -> None:
        os.write(fd, data)
        signal.raise_signal(signal.SIGTERM)

    path = tmp_path / "file"
    output = _output(path)
    monkeypatch.setattr(output_file, "write_all", write_and_terminate)
    seen: list[list[Path]] = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append([*tmp_path.iterdir()]))
    try:
        output.write(b"new")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [[path]]


@pytest.mark.parametrize("before", [None, 0o600, 0o664])
def test_permissions(tmp_path: Path, before: int | None) -> None:
    """A new file has those of every new file; one that was there keeps its own."""
    path, other = tmp_path / "file", tmp_path / "other"
    other.touch()
    if before is not None:
        path.touch()
        path.chmod(before)
    _output(path).write(b"new")
    expected = other.stat().st_mode & 0o777 if before is None else before
    assert oct(path.stat().st_mode & 0o777) == oct(expected)


@pytest.mark.parametrize("place", ["/dev/fd", "/proc/self/fd", "link"])
def test_open_file(tmp_path: Path, place: str) -> None:
    """A file that is open already, as standard output can be, is written where it is, between what else goes there."""
    path = tmp_path / "file"
    with path.open("wb", buffering=0) as file:
        name = f"/dev/fd/{file.fileno()}" if place == "link" else f"{place}/{file.fileno()}"
        if place == "link":
            (tmp_path / "link").symlink_to(name)
            name = str(tmp_path / "link")
        file.write(b"before ")
        _output(name).write(b"new")
        file.write(b" after")
        assert path.read_bytes() == b"before new after"
        assert file.fileno() >= 0
    with path.open("rb") as file, pytest.raises(click.BadParameter, match="it is open for reading only"):
        _output(f"/dev/fd/{file.fileno()}")
