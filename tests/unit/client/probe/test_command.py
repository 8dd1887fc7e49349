"""`probe` on the command line."""

import json
import socket

import pytest

from processes import run
from stentor_client.__main__ import cli
from unit.ending import RunCommand


def honest(connection: socket.socket) -> None:
    """Answer in upper case until the client ends."""
    for data in iter(lambda: connection.recv(65536), b""):
        connection.sendall(data.upper())


def _refusing() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def _quick(count: str) -> list[str]:
    return ["--count", count, "--rate", "100", "--sizes", "64", "--admin-port", "0", "--log-format", "json"]


@pytest.mark.parametrize("connection", ["persistent", "fresh", "mixed"])
def test_options_reach_the_probe(connection: str) -> None:
    """What is said on the command line is what the probe says that it does."""
    options = ["--connection", connection, "--resolve", "all", "--proxy-protocol", "v1", "--expect", "echo"]
    ended = run("stentor-client", "probe", "--target", _refusing(), *_quick("1"), *options)
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    (started,) = [event for event in events if event["event"] == "probe.started"]
    said = {"connection": connection, "resolve": "all", "proxy_protocol": "v1", "expect": "echo", "tls": False}
    assert said.items() <= started.items()
    assert (started["count"], started["interval_seconds"], started["sizes"]) == (1, 0.01, [64])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tls", "--tls-ca", "/no/such/file"], "cannot read /no/such/file: No such file or directory"),
        (["--tls", "--tls-server-name", ".x"], "no certificate can have the name '.x'"),
    ],
)
def test_files_are_looked_at_first(run_command: RunCommand, options: list[str], message: str) -> None:
    """What cannot be used is one line before anything starts."""
    ended = run_command(cli, "probe", *options)
    assert ended.code == 2
    assert ended.line == f"a-service: {message}"
