"""The command line of the client."""

import os
import pty
import select
import socket
import subprocess
import termios
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lying import Behaviour, LyingServer, flip, stay_silent
from processes import BIN, ENVIRONMENT, run
from stentor_chassis.failure import USAGE
from stentor_client.__main__ import Rate, Sizes, cli
from unit.ending import RunCommand, commands, identify


def honest(connection: socket.socket) -> None:
    """Answer in upper case until the client ends."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


def _refusing() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


@given(st.lists(st.integers(1, 64 << 20), min_size=1))
def test_sizes(sizes: list[int]) -> None:
    """Sizes stand between commas, with or without blanks; what has been parsed stays as it is."""
    for comma in (",", ", "):
        parsed = Sizes().convert(comma.join(map(str, sizes)), None, None)
        assert sizes == parsed == Sizes().convert(parsed, None, None)


def test_sizes_with_units() -> None:
    """Each size has a unit of its own."""
    assert Sizes().convert("64,1KiB,2MiB", None, None) == [64, 1024, 2 << 20]


@pytest.mark.parametrize("wrong", ["", ",", "64,", "0", "64,0", "65MiB", "64;1", "-1"])
def test_no_sizes(wrong: str) -> None:
    """A size that is none, or that no message can have, is refused."""
    with pytest.raises(click.BadParameter):
        Sizes().convert(wrong, None, None)


@given(st.floats(0.001, 100_000))
def test_rate(rate: float) -> None:
    """A rate is a number per second."""
    assert rate == Rate().convert(str(rate), None, None)


@pytest.mark.parametrize("wrong", ["", "0", "1e-9", "-1", "100001", "nan", "inf", "fast", "10/s"])
def test_no_rate(wrong: str) -> None:
    """A rate that is none, or that no schedule keeps, is refused."""
    with pytest.raises(click.BadParameter, match="is not a rate per second"):
        Rate().convert(wrong, None, None)


@pytest.mark.parametrize(("command", "option"), commands(cli), ids=identify)
def test_help_names_every_option(run_command: RunCommand, command: click.Command, option: click.Option) -> None:
    """The help of a command shows the flag, the variable and the meaning of every option."""
    help_text = " ".join(run_command(cli, str(command.name), "--help").out.split())
    assert option.opts[0] in help_text
    assert f"env var: {option.envvar}" in help_text
    assert option.help
    assert option.help in help_text


@pytest.mark.parametrize(
    ("command", "flag", "value"),
    [
        ("send", "--target", "nowhere"),
        ("send", "--expect", "lower"),
        ("send", "--timeout", "5"),
        ("probe", "--connect-timeout", "0s"),
        ("probe", "--interval", "often"),
        ("probe", "--rate", "0"),
        ("probe", "--sizes", "0"),
        ("probe", "--connection", "new"),
        ("probe", "--count", "-1"),
    ],
)
def test_wrong_value(
    run_command: RunCommand, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, flag: str, value: str
) -> None:
    """A wrong value, by flag, variable or file, ends with 2 and one line that names them and the value."""
    variable = "STENTOR_" + flag.removeprefix("--").replace("-", "_").upper()
    by_flag = run_command(cli, command, flag, value)
    path = tmp_path / "stentor.toml"
    path.write_text(f'{flag.removeprefix("--")} = "{value}"')
    by_file = run_command(cli, command, "--config", str(path))
    assert repr(str(path)) in by_file.line
    monkeypatch.setenv(variable, value)
    by_variable = run_command(cli, command)
    for ended in (by_flag, by_file, by_variable):
        assert ended.code == USAGE
        assert flag in ended.line
        assert variable in ended.line
        assert value in ended.line


def test_send_text() -> None:
    """Text on the command line is sent as one line."""
    with LyingServer(honest) as server:
        ended = run("stentor-client", "send", "--target", server.target, "hello", "there")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"HELLO THERE\n", b"")


def test_send_text_that_is_not_utf8() -> None:
    """Text is sent as the bytes that it is, whatever they mean."""
    with LyingServer(honest) as server:
        ended = run("stentor-client", "send", "--target", server.target, os.fsdecode(b"\xff\xe9t\xe9"))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"\xff\xe9T\xe9\n", b"")


@pytest.mark.parametrize(
    ("behaviour", "code", "word"), [(flip, 5, "mismatch"), (stay_silent, 4, "timeout")], ids=["wrong", "silent"]
)
def test_send_fails(behaviour: Behaviour, code: int, word: str) -> None:
    """A failure ends with its code and one line on standard error that begins with the outcome."""
    with LyingServer(behaviour) as server:
        ended = run("stentor-client", "send", "--target", server.target, "--timeout", "200ms", "hello")
    assert code == ended.returncode
    assert ended.stderr.count(b"\n") == 1
    assert ended.stderr.startswith(f"stentor-client: {word}: {server.target}: ".encode())


def test_conversation() -> None:
    """On a terminal each line is answered as it is typed, until the person ends it."""
    ours, theirs = pty.openpty()
    attributes = termios.tcgetattr(theirs)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(theirs, termios.TCSANOW, attributes)
    shown = bytearray()

    def until_shown(what: bytes) -> None:
        while what not in shown:
            assert select.select([ours], [], [], 20)[0], f"{what!r} is not shown, but {bytes(shown)!r}"
            shown.extend(os.read(ours, 4096))
        del shown[: shown.index(what) + len(what)]

    with LyingServer(honest) as server:
        child = subprocess.Popen(
            [f"{BIN}/stentor-client", "send", "--target", server.target],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=ENVIRONMENT | {"TERM": "dumb"},
            start_new_session=True,
        )
        os.close(theirs)
        try:
            until_shown(f"Connected to {server.target}".encode())
            until_shown(b"> ")
            for line in (b"hello", "grüße".encode()):
                os.write(ours, line + b"\n")
                until_shown(line.upper())
                until_shown(b"> ")
            os.write(ours, b"\x04")  # Ctrl-D
            assert child.wait(20) == 0
        finally:
            child.kill()
            child.wait()
            os.close(ours)


@pytest.mark.parametrize(("behaviour", "code"), [(honest, 0), (None, 3), (flip, 5)], ids=["well", "refused", "wrong"])
def test_probe_that_ends(behaviour: Behaviour | None, code: int) -> None:
    """A probe ends when its count is reached, with the code of its worst outcome, and writes nothing but its log."""
    with LyingServer(behaviour or honest) as server:
        target = server.target if behaviour else _refusing()
        ended = run("stentor-client", "probe", "--target", target, *_quick("2"))
    assert (code, b"") == (ended.returncode, ended.stdout)
    assert b'"exchanges":2' in ended.stderr


def _quick(count: str) -> list[str]:
    return ["--count", count, "--rate", "100", "--sizes", "64", "--admin-port", "0", "--log-format", "json"]
