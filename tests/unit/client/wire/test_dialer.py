"""Making connections."""

import asyncio
import errno
import gc
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.verify.outcomes import Outcome, Phase, Shortage
from stentor_client.wire import dialer as dialer_module
from stentor_client.wire import race
from stentor_client.wire.dial_record import SLOWER, DialError, DialRecord, Endpoint, Step
from stentor_client.wire.dialer import Dialer, DialOptions, connect
from stentor_client.wire.lookup import Found
from stentor_client.wire.race import ATTEMPT_DELAY_SECONDS
from stentor_client.wire.target import Target
from unit.client.wire.naming import refusing, resolve_to, swallowing
from unit.looping import SECONDS


class Made(asyncio.Protocol):
    """Notes whom it is connected to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note it."""
        self.transport = transport
        self.peer: Any = transport.get_extra_info("peername")
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Note that too."""
        self.lost.set()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket that accepts nothing: its queue takes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def options(target: str, **changes: Any) -> DialOptions:
    """Return options with a time-out that is not reached."""
    return DialOptions(**{"target": target, "connect_timeout_seconds": SECONDS / 2, **changes})


def at(listener: socket.socket) -> str:
    """Return where a socket listens."""
    return "{}:{}".format(*listener.getsockname())


async def dial(dialer: Dialer, endpoint: Endpoint | None = None) -> tuple[Made, DialRecord]:
    """Dial, and close the connection."""
    made, record = await dialer.dial(Made, endpoint)
    made.transport.close()
    await made.lost.wait()
    return made, record


async def failure(dialed: DialOptions | Dialer) -> DialError:
    """Return the error that dialing ends with; a socket left open would warn, and fail the test."""
    with pytest.raises(DialError) as raised:
        await dial(dialed if isinstance(dialed, Dialer) else Dialer(dialed))
    gc.collect()
    return raised.value


async def test_connects(listener: socket.socket) -> None:
    """It resolves a name, connects, times both, and reports both ends."""
    port = listener.getsockname()[1]
    made, record = await dial(Dialer(options(f"localhost:{port}")))
    assert listener.getsockname() == made.peer
    assert record.durations.keys() == {Phase.RESOLVE, Phase.CONNECT}
    assert all(0 < duration < SECONDS * NANOSECONDS for duration in record.durations.values())
    assert (f"127.0.0.1:{port}", f"localhost:{port}") == (str(record.endpoint), str(record.target))
    theirs, _ = listener.accept()
    with theirs:
        assert record.local == "{}:{}".format(*theirs.getpeername())


async def test_connects_to_a_unix_socket(tmp_path: Path) -> None:
    """A Unix socket is the one endpoint of its target, and needs no lookup."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        made, record = await dial(Dialer(options(f"unix:{path}")))
    assert path == made.peer
    assert record.durations.keys() == {Phase.CONNECT}
    assert (str(record.endpoint), record.local) == (f"unix:{path}", "unix")


async def test_options_from_json_and_proxy_header(listener: socket.socket) -> None:
    """Options survive the way to a worker, as JSON; a PROXY header is sent first, and recorded."""
    given = options(at(listener), proxy_protocol="v1")
    _, record = await dial(Dialer(DialOptions(**json.loads(json.dumps(asdict(given))))))
    theirs, source = listener.accept()
    with theirs:
        received = theirs.recv(1000)
    ours = listener.getsockname()
    assert f"PROXY TCP4 {source[0]} {ours[0]} {source[1]} {ours[1]}\r\n".encode() == received == record.proxy_header


async def test_address_that_refuses(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """If one address refuses, the next is tried at once, and the record has the reason."""
    bad = refusing()
    resolve_to(monkeypatch, bad, listener.getsockname())
    begun = time.monotonic()
    made, record = await dial(Dialer(options("both:1")))
    assert time.monotonic() - begun < SECONDS / 4
    assert listener.getsockname() == made.peer
    tried = [(str(step.endpoint), step.error) for step in record.steps if step.phase is Phase.CONNECT]
    assert [("{}:{}".format(*bad), "Connection refused"), *[(at(listener), "")] * 2] == tried


async def test_address_that_swallows_syns(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that does not answer delays the next by no more than the attempt delay, and leaves nothing open."""
    with swallowing() as silent:
        resolve_to(monkeypatch, silent, listener.getsockname())
        made, record = await dial(Dialer(options("both:1")))
        gc.collect()
    assert listener.getsockname() == made.peer
    slow, fast, _ = (step for step in record.steps if step.phase is Phase.CONNECT)
    assert ("{}:{}".format(*silent), SLOWER) == (str(slow.endpoint), slow.error)
    assert ATTEMPT_DELAY_SECONDS * 0.99 <= (fast.begun - slow.begun) / NANOSECONDS <= 0.3 + SECONDS / 4


def test_durations() -> None:
    """Attempts that overlap count once."""
    steps = [(Phase.CONNECT, 10, 60), (Phase.CONNECT, 40, 55), (Phase.CONNECT, 60, 65), (Phase.TLS, 70, 90)]
    record = DialRecord(Target("host", 80), [Step(*step, None, "") for step in steps])
    assert record.durations == {Phase.CONNECT: 55, Phase.TLS: 20}


async def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every address fails, the error names each with its reason, and has the outcome of the last."""
    first, last = refusing(), refusing()
    resolve_to(monkeypatch, first, last)
    error = await failure(options("both:1"))
    assert (error.outcome, error.phase) == (Outcome.REFUSED, Phase.CONNECT)
    assert error.detail == "{}:{}: Connection refused; {}:{}: Connection refused".format(*first, *last)
    assert str(error.record.endpoint) == "{}:{}".format(*last)


async def test_no_address_answers_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time-out the error says what became of each address."""
    bad = refusing()
    with swallowing() as silent, swallowing() as next_one:
        resolve_to(monkeypatch, bad, silent, next_one)
        monkeypatch.setattr(race, "ATTEMPT_DELAY_SECONDS", SECONDS)
        error = await failure(options("both:1", connect_timeout_seconds=1.0))
    assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.CONNECT)
    assert error.detail == (
        f"both:1: no connection within 1 s; {bad[0]}:{bad[1]}: Connection refused; "
        f"{silent[0]}:{silent[1]}: no answer; {next_one[0]}:{next_one[1]}: not tried yet"
    )


async def test_single_address_fails() -> None:
    """With one address, an error names it once."""
    with swallowing() as silent:
        target = "{}:{}".format(*silent)
        error = await failure(options(target, connect_timeout_seconds=0.1))
    assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.CONNECT)
    assert error.detail == f"{target}: no connection within 0.1 s"


async def test_connected_to_itself() -> None:
    """If the kernel connects a socket to itself, nobody listens."""
    with socket.socket(type=socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as itself:
        itself.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            await connect(itself, Endpoint(socket.AF_INET, itself.getsockname()))


@pytest.mark.parametrize("host", ["no.such.name." * 20, "a..b", "\udcff"], ids=["long", "gap", "raw"])
async def test_name_that_does_not_resolve(host: str) -> None:
    """A name that does not resolve, or cannot even be one, is an outcome like any other."""
    error = await failure(options(f"{host}:80"))
    assert (error.outcome, error.phase) == (Outcome.DNS, Phase.RESOLVE)
    assert error.detail.startswith(f"{host}:80: ")


async def test_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not resolved in time is no connection in time, and the phase says why."""

    async def look_up(_host: str, _port: int) -> Found:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(dialer_module, "look_up", look_up)
    dialer = Dialer(options("slow:80", connect_timeout_seconds=0.05))
    with pytest.raises(DialError) as raised:
        await dialer.resolve()
    for error in (raised.value, await failure(dialer)):
        assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.RESOLVE)


@pytest.mark.parametrize(
    ("number", "outcome", "unused"),
    [(errno.ECONNRESET, Outcome.RESET, [Outcome.RESET]), (errno.EHOSTUNREACH, Outcome.UNREACHABLE, [])],
)
async def test_reset_at_once(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, number: int, outcome: Outcome, unused: list[Outcome]
) -> None:
    """A connection that was reset before it was used counts: the server has accepted it."""
    noted: list[Outcome | None] = []

    async def reset(_connection: socket.socket, _endpoint: Endpoint) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dialer_module, "connect", reset)
    error = await failure(Dialer(options(at(listener)), lambda _age, lost_by: noted.append(lost_by)))
    assert (error.outcome, error.phase, noted) == (outcome, Phase.CONNECT, unused)


@pytest.mark.parametrize("target", ["127.0.0.1:1", "no.such.name:1"])
async def test_no_file_can_be_opened(target: str) -> None:
    """If this process can open no more files, neither name nor address is blamed, and the message has the remedy."""
    dialer, (soft, hard) = Dialer(options(target)), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(DialError) as raised:
            await dialer.dial(Made)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (raised.value.outcome, raised.value.shortage) == (Outcome.UNREACHABLE, Shortage.OPEN_FILES)
    assert raised.value.detail.startswith(f"{target}: this machine ran out of open files; ")
    assert "ulimit -n" in raised.value.detail


@pytest.mark.parametrize("error", [RuntimeError, MemoryError])
async def test_no_memory(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Without memory for a thread, or for an object, there is no connection either."""
    monkeypatch.setattr("threading.Thread.start", Mock(side_effect=error))
    failed = await failure(options("no.such.name:1"))
    assert (failed.phase, failed.shortage) == (Phase.RESOLVE, Shortage.MEMORY)


@pytest.mark.parametrize(
    ("source", "shortage", "words"),
    [(True, Shortage.LOCAL_PORTS, "net.ipv4.ip_local_port_range"), (False, None, "Network is unreachable")],
)
async def test_no_local_port(
    monkeypatch: pytest.MonkeyPatch, *, source: bool, shortage: Shortage | None, words: str
) -> None:
    """Having no port is told from having no address, as without IPv6; one of several addresses is enough to say so."""

    class Full(socket.socket):
        def connect_ex(self, address: Any) -> int:
            tcp = self.type == socket.SOCK_STREAM
            return errno.EADDRNOTAVAIL if tcp or not source else super().connect_ex(address)

    resolve_to(monkeypatch, refusing(), refusing())
    monkeypatch.setattr(socket, "socket", Full)
    error = await failure(options("both:1"))
    assert (error.outcome, error.shortage, words in error.detail) == (Outcome.UNREACHABLE, shortage, True)


async def test_attempts_that_succeed_together(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two attempts that connect at the same time one is used, and the other is closed, and counted as unused."""
    both = asyncio.Event()
    noted: list[Outcome | None] = []

    async def together(connection: socket.socket, endpoint: Endpoint) -> None:
        await connect(connection, endpoint)
        if waiting:
            both.set()
        waiting.append(endpoint)
        await both.wait()

    waiting: list[Endpoint] = []
    monkeypatch.setattr(dialer_module, "connect", together)
    resolve_to(monkeypatch, listener.getsockname(), listener.getsockname())
    await dial(Dialer(options("both:1"), lambda _age, lost_by: noted.append(lost_by)))
    gc.collect()
    assert (noted, len(waiting)) == ([None], 2)


@pytest.mark.parametrize("addresses", [1, 2])
@pytest.mark.parametrize("turns", range(12))
async def test_cancelled(listener: socket.socket, monkeypatch: pytest.MonkeyPatch, turns: int, addresses: int) -> None:
    """Cancelled in any turn of the event loop, it leaves no socket open and no protocol without an end."""
    begun: list[Made] = []

    class Noting(Made):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            begun.append(self)

    resolve_to(monkeypatch, *[listener.getsockname()] * addresses)
    dialing = asyncio.ensure_future(Dialer(options("name:1")).dial(Noting))
    for _ in range(turns):
        await asyncio.sleep(0)
    if not dialing.cancel():
        begun[0].transport.close()
    await asyncio.wait([dialing])
    for made in begun:
        await made.lost.wait()
    gc.collect()
