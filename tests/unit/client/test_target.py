"""Where to connect to, and the way there."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stentor_client import target as target_module
from stentor_client.outcomes import ExchangeError, Outcome
from stentor_client.target import Phases, Target, TargetType, connect
from unit.looping import Loop

TIMEOUT = 10.0
names = st.text("abcxyz019.-", min_size=1, max_size=20)
ports = st.integers(1, 65535)


class Made(asyncio.Protocol):
    """Notes whom it is connected to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self.transport = transport
        self.peer: Any = transport.get_extra_info("peername")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that accepts nothing: its queue takes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


async def _connect(target: Target, timeout: float = TIMEOUT) -> tuple[Made, Phases]:
    made, phases = await connect(target, timeout, Made)
    made.transport.close()
    return made, phases


def _fails(loop: Loop, target: Target, timeout: float = TIMEOUT) -> ExchangeError:
    """Return the error that connecting ends with; it may leave no descriptor open."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ExchangeError) as failure:
        loop.run(_connect(target, timeout))
    assert before == os.listdir("/proc/self/fd")
    return failure.value


def _address(listener: socket.socket) -> Target:
    return Target(*listener.getsockname())


@given(names, ports)
def test_host_and_port(name: str, port: int) -> None:
    """A host and a port are read and shown as they are written."""
    text = f"{name}:{port}"
    assert Target(name, port) == Target.parse(text)
    assert text == str(Target.parse(text))


@given(st.ip_addresses(v=6).map(str), ports)
def test_ipv6(address: str, port: int) -> None:
    """An address of IPv6 stands in brackets."""
    text = f"[{address}]:{port}"
    assert Target(address, port) == Target.parse(text)
    assert text == str(Target.parse(text))


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_unix(path: str) -> None:
    """Whatever follows `unix:` is a path."""
    assert Target("", 0, path) == Target.parse(f"unix:{path}")
    assert f"unix:{path}" == str(Target.parse(f"unix:{path}"))


@pytest.mark.parametrize(
    "wrong",
    ["", "host", ":80", "host:", "host:0", "host:65536", "host:-1", "host:http", "::1:80", "[]:80", "[::1]", "unix:"],
)
def test_no_target(wrong: str) -> None:
    """What is no target is refused with what one is."""
    with pytest.raises(ValueError, match=r"is not HOST:PORT, \[IPV6\]:PORT or unix:PATH"):
        Target.parse(wrong)
    with pytest.raises(click.BadParameter, match="is not HOST:PORT"):
        TargetType().convert(wrong, None, None)


def test_target_on_the_command_line() -> None:
    """The command line's type parses, and leaves alone what has been parsed."""
    target = Target("host", 80)
    assert target == TargetType().convert("host:80", None, None) == TargetType().convert(target, None, None)


def test_connects(loop: Loop, listener: socket.socket) -> None:
    """It connects, and times the phases of the way."""
    made, phases = loop.run(_connect(_address(listener)))
    assert listener.getsockname() == made.peer
    assert phases.resolve > 0
    assert phases.connect > 0


def test_connects_to_a_name(loop: Loop, listener: socket.socket) -> None:
    """A name is resolved."""
    made, _ = loop.run(_connect(Target("localhost", listener.getsockname()[1])))
    assert listener.getsockname() == made.peer


def test_connects_to_a_unix_socket(loop: Loop, tmp_path: Path) -> None:
    """It connects to a Unix socket."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        made, _ = loop.run(_connect(Target("", 0, path)))
        assert path == made.peer


def test_next_address(loop: Loop, listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first address of a name refuses, the next is tried."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        refusing = other.getsockname()

    async def of_both(_target: Target) -> list[tuple[int, Any]]:
        return [(socket.AF_INET, refusing), (socket.AF_INET, listener.getsockname())]

    monkeypatch.setattr(target_module, "_resolve", of_both)
    made, _ = loop.run(_connect(Target("both", 1)))
    assert listener.getsockname() == made.peer


def test_refused(loop: Loop) -> None:
    """Where nobody listens it is refused, and the error names the target."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        target = _address(other)
    error = _fails(loop, target)
    assert (Outcome.REFUSED, f"{target}: Connection refused") == (error.outcome, error.detail)


def test_connected_to_itself() -> None:
    """Where nobody listens and the kernel draws the target's own port for this end, nobody has answered."""
    with socket.socket() as itself:
        itself.bind(("127.0.0.1", 0))
        itself.connect(itself.getsockname())
        with pytest.raises(ConnectionRefusedError):
            target_module._refuse_self(itself)


@pytest.mark.parametrize("path", ["missing", "missing/too"])
def test_no_unix_socket(loop: Loop, tmp_path: Path, path: str) -> None:
    """A Unix socket that does not exist cannot be reached."""
    error = _fails(loop, Target("", 0, str(tmp_path / path)))
    assert (Outcome.UNREACHABLE, f"unix:{tmp_path / path}: No such file or directory") == (error.outcome, error.detail)


def test_path_too_long(loop: Loop) -> None:
    """A path that cannot be a Unix socket's is an outcome like any other."""
    assert Outcome.UNREACHABLE is _fails(loop, Target("", 0, "long" * 50)).outcome


@pytest.mark.parametrize("host", ["no.such.name." * 20, "a..b", "a" * 70], ids=["long", "gap", "label"])
def test_name_that_does_not_resolve(loop: Loop, host: str) -> None:
    """A name that does not resolve, or cannot even be one, is an outcome like any other."""
    error = _fails(loop, Target(host, 80))
    assert Outcome.DNS is error.outcome
    assert error.detail.startswith(f"{host}:80: ")


def test_nobody_answers(loop: Loop) -> None:
    """A target that does not answer is given up after the timeout."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # room for one, and then the kernel drops what knocks
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        error = _fails(loop, _address(full), timeout=0.1)
        assert Outcome.CONNECT_TIMEOUT is error.outcome
        assert "no connection within 0.1 s" in error.detail
