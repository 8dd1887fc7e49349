"""Options that are plain text."""

import os
from pathlib import Path

import click
import pytest

from stentor_chassis.options import text


@pytest.mark.parametrize("kind", [text.Text(), text.Path(), text.SocketPath(), text.File()])
def test_text(kind: text.Text) -> None:
    """A text is taken as it is, and an empty one is refused; a Unix socket may begin as we print it."""
    assert text.SocketPath().convert("unix:/run/s", None, None) == "/run/s"
    for each in ("a", " ", "no/such file"):
        assert kind.convert(each, None, None) == each
    with pytest.raises(click.BadParameter, match=r"^it is empty$"):
        kind.convert("", None, None)


def test_kinds_of_files(tmp_path: Path) -> None:
    """A regular file is required: no pipe and no device, under any name; reading a directory fails later."""
    fifo, file, link = (str(tmp_path / name) for name in ("fifo", "file", "link"))
    os.mkfifo(fifo)
    os.symlink(fifo, link)
    Path(file).touch()
    for good in (file, str(tmp_path)):
        assert text.File().convert(good, None, None) == good
    for wrong in (fifo, link, "/dev/null"):
        assert text.Path().convert(wrong, None, None) == wrong
        with pytest.raises(click.BadParameter, match=f"^'{wrong}' is not a regular file$"):
            text.File().convert(wrong, None, None)


def test_host_name() -> None:
    """A host name is kept in lower case without a final dot; anything that could never be one is refused."""
    for name in ("Server-1.Example.org", "server-1.example.org."):
        assert text.HostName().convert(name, None, None) == "server-1.example.org"
    for wrong in ("", "http://server", "server:8081", "a b", "a..b", "a..", ".", "*"):
        with pytest.raises(click.BadParameter, match="is not a host name such as"):
            text.HostName().convert(wrong, None, None)


def test_file_mode() -> None:
    """A file mode is octal with a leading 0, which says so; in a configuration file, too, it is text."""
    assert [text.FileMode().convert(each, None, None) for each in ("0660", "0777")] == [0o660, 0o777]
    for wrong in ("660", "432", "0o660", "0680", "07777", "rw-rw----", ""):
        with pytest.raises(click.BadParameter, match="is not an octal file mode such as 0660"):
            text.FileMode().convert(wrong, None, None)
