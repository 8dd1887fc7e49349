"""What a configuration file says."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        click.Option(["--config"], expose_value=False),
    ],
)
HEALTH = click.Command("health", params=[click.Option(["--port"]), click.Option(["--wait"], type=float)])

BACKSLASH = chr(92)  # which no replacement field may hold

Read = Callable[[str | bytes], dict[str, Any]]


@pytest.fixture
def of_serve(tmp_path: Path) -> Read:
    """Reads a text as `serve` reads a file that holds it."""

    def read_text(text: str | bytes) -> dict[str, Any]:
        path = tmp_path / "stentor.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(str(path), SERVE, [SERVE, HEALTH])

    return read_text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# nothing", {}),
        ("port = 8080", {"port": "8080"}),
        ("port = '8080'", {"port": "8080"}),
        ("port = 8_080\r\n", {"port": "8080"}),
        ("port = -1", {"port": "-1"}),
        ("port = 80.9", {"port": "80.9"}),
        ('idle-timeout = "10m"', {"idle_timeout": "10m"}),
        ("idle-timeout = 0", {"idle_timeout": "0"}),
        ('idle-timeout = ""', {"idle_timeout": ""}),
        ('json = "a.json"', {"path": "a.json"}),
        ("closed = true", {"closed": True}),
        ("closed = false", {"closed": False}),
        ('allow = "10.0.0.0/8"', {"allow": ["10.0.0.0/8"]}),
        ('allow = ["10.0.0.0/8", "::1"]', {"allow": ["10.0.0.0/8", "::1"]}),
        ('allow = ["a", 1, 0.5]', {"allow": ["a", "1", "0.5"]}),
        ("allow = []", {"allow": []}),
    ],
    ids=repr,
)
def test_values(of_serve: Read, text: str, values: dict[str, Any]) -> None:
    """Values come as the command line would hand them to click, whatever their TOML type."""
    assert values == of_serve(text)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(TEXTS | st.integers(-(2**63), 2**63 - 1))
def test_texts_and_numbers(tmp_path_factory: pytest.TempPathFactory, value: str | int) -> None:
    """Any text, and any number of TOML's, comes as it would be written on the command line."""
    written = value if isinstance(value, int) else f'"{"".join(f"{BACKSLASH}U{ord(each):08x}" for each in value)}"'
    path = tmp_path_factory.mktemp("any") / "stentor.toml"
    path.write_text(f"idle-timeout = {written}", encoding="utf-8")
    assert {"idle_timeout": str(value)} == read(str(path), SERVE, [SERVE])


def test_options_of_other_commands(of_serve: Read) -> None:
    """What another command of the program has an option for is passed over, whatever its value."""
    assert of_serve("wait = 3\nport = 1") == {"port": "1"}
    assert of_serve("wait = [true]") == {}


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("prot", "port"),
        ("PORT", "port"),
        ("idle_timeout", "idle-timeout"),
        ("Idle_Timeout", "idle-timeout"),
        ("idle-time", "idle-timeout"),
        ("waits", "wait"),
        ('"--port"', "port"),
    ],
)
def test_key_that_was_meant(of_serve: Read, key: str, meant: str) -> None:
    """A key that no command knows is refused with the nearest one that there is."""
    with pytest.raises(WrongFileError, match=rf"{key.strip(chr(34))}' is no option .*; did you mean '{meant}'\?$"):
        of_serve(f"{key} = 1")


@pytest.mark.parametrize("key", ["frobnicate", "p", "text", "path", "help", "version", '""', '"a\\nb"'])
def test_unknown_key(of_serve: Read, key: str) -> None:
    """A key that is near nothing is refused as well: arguments, short flags and parameters are no keys."""
    with pytest.raises(WrongFileError, match=r"^'[^']*' is no option of any command$") as refused:
        of_serve(f"{key} = 1")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('config = "other.toml"', "'config' cannot be set in the file itself"),
        ("[serve]\nport = 1", "'serve' is a table"),
        ("port.number = 1", "'port' is a table"),
        ("wait = {}", "'wait' is a table"),
        ("port = [8080]", "'port' takes one value, and no list"),
        ("[[port]]", "'port' takes one value, and no list"),
        ("port = true", "'port' takes a text or a number"),
        ("idle-timeout = false", "'idle-timeout' takes a text or a number"),
        ("idle-timeout = 00:10:00", "'idle-timeout' takes a text or a number"),
        ("idle-timeout = 2020-02-20", "'idle-timeout' takes a text or a number"),
        ("[[allow]]", "'allow' takes a text or a number"),
        ('allow = [["10.0.0.0/8"]]', "'allow' takes a text or a number"),
        ("allow = [true]", "'allow' takes a text or a number"),
        ("closed = 1", "'closed' takes true or false, without quotes"),
        ('closed = "true"', "'closed' takes true or false, without quotes"),
        ("closed = [true]", "'closed' takes true or false, without quotes"),
        ('idle-timeout = "a\\u0000b"', "'idle-timeout' has a NUL character"),
        (f"port = 0x{'f' * 5000}", "'port' is out of all range"),
    ],
)
def test_wrong_value(of_serve: Read, text: str, message: str) -> None:
    """A value of a kind that no option, or not this one, can have is refused, and its key named."""
    with pytest.raises(WrongFileError, match=f"^{message}"):
        of_serve(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 1\nport = 2\n", r"not TOML: .*\(at line 2,"),
        ("# port\n\nport 1\n", r"not TOML: .*\(at line 3,"),
        ("port = 08080\n", r"not TOML: .*\(at line 1,"),
        (b"# \xc3\xa4\n# \xe4\nport = 1\n", r"not UTF-8 \(at line 2\)"),
        ("port = 1".encode("utf-16"), r"not UTF-8 \(at line 1\)"),
        (f"port = {'9' * 5000}", "number that is too long"),
        (f"port = {'[' * 100_000}", "(lists too deep|not TOML)"),
        ("#" * (1 << 20) + "#", "longer than 1 MiB"),
    ],
    ids=lambda case: repr(case)[:30],
)
def test_wrong_file(of_serve: Read, text: str | bytes, message: str) -> None:
    """What is not TOML is refused with the line where it ceases to be."""
    with pytest.raises(WrongFileError, match=message):
        of_serve(text)


def test_longest_file(of_serve: Read) -> None:
    """A file may be as long as any that somebody writes."""
    assert of_serve("port = 1\n".ljust(1 << 20, "#")) == {"port": "1"}


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """What is not there, and what is no file, is left to the caller as the system tells it."""
    with pytest.raises(FileNotFoundError):
        read(str(tmp_path / "nothing.toml"), SERVE, [SERVE])
    with pytest.raises(IsADirectoryError):
        read(str(tmp_path), SERVE, [SERVE])


def test_named_pipe(tmp_path: Path) -> None:
    """A named pipe is refused, by whatever name: nobody might ever write to it."""
    os.mkfifo(tmp_path / "fifo")
    os.symlink(tmp_path / "fifo", tmp_path / "link")
    for name in ("fifo", "link"):
        with pytest.raises(WrongFileError, match=r"^a named pipe, on which one could wait for ever$"):
            read(str(tmp_path / name), SERVE, [SERVE])


def test_pipe() -> None:
    """A pipe will do, as a shell makes one of a command's output."""
    reader, writer = os.pipe()
    os.write(writer, b"port = 1")
    os.close(writer)
    assert read(f"/dev/fd/{reader}", SERVE, [SERVE]) == {"port": "1"}
    os.close(reader)
