"""The values in a configuration file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from stentor_chassis.options.config_file import WrongFileError, read

SERVE = click.Command(
    "serve",
    params=[
        click.Argument(["text"], nargs=-1),
        click.Option(["--port", "-p"], type=click.IntRange(0, 65535)),
        click.Option(["--idle-timeout"]),
        click.Option(["--json", "path"]),
        click.Option(["--closed"], is_flag=True),
        click.Option(["--allow"], multiple=True),
        click.Option(["--deny"], multiple=True, default=("::1",)),
        click.Option(["--config"], expose_value=False),
    ],
)
HEALTH = click.Command("health", params=[click.Option(["--port"]), click.Option(["--wait"], type=float)])

Read = Callable[[str | bytes], dict[str, Any]]


@pytest.fixture
def of_serve(tmp_path: Path) -> Read:
    """Reads a text as `serve` reads a file with this content."""

    def read_text(text: str | bytes) -> dict[str, Any]:
        path = tmp_path / "stentor.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(str(path), SERVE, [SERVE, HEALTH])

    return read_text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("port = 8_080\r\n", {"port": "8080"}),
        ('json = "a.json"', {"path": "a.json"}),
        ("wait = [true]\nport = 1", {"port": "1"}),  # an option of another command
        ("port = 1\n".ljust(1 << 20, "#"), {"port": "1"}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_values(of_serve: Read, text: str, values: dict[str, Any]) -> None:
    """Values have the form that the command line gives to click, whatever their TOML type."""
    assert values == of_serve(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"{key} = 1", f"' is not an option .*; did you mean '{meant}'\\?$") for key, meant in
          [("PORT", "port"), ("Idle_Timeout", "idle-timeout"), ("waits", "wait"), ('"--port"', "port")]),
        # Arguments, short flags and parameters are not keys.
        *((f"{key} = 1", "^'[^'\n]*' is not an option of any command$") for key in
          ("frobnicate", "p", "text", "path", "help", '""', '"a\\nb"')),
        ('config = "other.toml"', "^'config' cannot be set in the file itself"),
        ("port.number = 1", "^'port' is a table"),
        ("[[port]]", "^'port' must be one value, not a list"),
        ("allow = [true]", "^'allow' must be a string or a number"),
        ("deny = []", "^'deny' is an empty list"),
        ("closed = 1", "^'closed' must be true or false, without quotes"),
        ('idle-timeout = "a\\u0000b"', "^'idle-timeout' has a NUL character"),
        (f"port = 0x{'f' * 5000}", "^'port' is out of range"),
        ("# port\n\nport 1\n", r"not TOML: .*\(at line 3,"),
        (b"# \xc3\xa4\n# \xe4\nport = 1\n", r"not UTF-8 \(at line 2\)"),
        (f"port = {'9' * 5000}", "number that is too long"),
        (f"port = {'[' * 100_000}", "(nested too deeply|not TOML)"),
        ("#" * ((1 << 20) + 1), "it is longer than 1 MiB"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_wrong_file(of_serve: Read, text: str | bytes, message: str) -> None:
    """A wrong file is refused in one line that names the key or the line, and the key that was probably meant."""
    with pytest.raises(WrongFileError, match=message) as refused:
        of_serve(text)
    assert "\n" not in str(refused.value)


def test_other_kinds_of_files(tmp_path: Path) -> None:
    """A missing file and a directory are the system's errors; a pipe is read, unless it has a name."""
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "nothing.toml"), SERVE, [SERVE])
    with pytest.raises(IsADirectoryError):
        read(str(tmp_path), SERVE, [SERVE])
    os.mkfifo(tmp_path / "fifo")
    os.symlink(tmp_path / "fifo", tmp_path / "link")
    for name in ("fifo", "link"):
        with pytest.raises(WrongFileError, match=r"^it is a named pipe; reading it could block forever$"):
            read(str(tmp_path / name), SERVE, [SERVE])
    reader, writer = os.pipe()
    os.write(writer, b"port = 1")
    os.close(writer)
    assert read(f"/dev/fd/{reader}", SERVE, [SERVE]) == {"port": "1"}
    os.close(reader)
