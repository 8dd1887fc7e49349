"""The way to a connection."""

import asyncio
import errno
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from stentor_client.verify.outcomes import ExchangeError, Outcome, Phase
from stentor_client.wire import dialer as dialing
from stentor_client.wire.dialer import Dialer, DialOptions, DialRecord, Endpoint, _refuse_self
from stentor_client.wire.target import Target
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


async def failure(dialed: DialOptions | Dialer) -> ExchangeError:
    """Return the error that dialing ends with; it may leave no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    dialer = dialed if isinstance(dialed, Dialer) else Dialer(dialed)

    async def scenario() -> None:
        with pytest.raises(ExchangeError) as raised:
            await dial(dialer)
        errors.append(raised.value)
        await asyncio.sleep(0)  # uvloop closes when the loop comes to it

    errors: list[ExchangeError] = []
    await scenario()
    assert before == len(os.listdir("/proc/self/fd"))
    return errors[0]


def test_options_travel() -> None:
    """Options survive the way to a worker, as JSON."""
    given = options("a:1", tls=True, tls_ca="ca", tls_cert="cert", tls_key="key", proxy_protocol="v2")
    assert given == DialOptions(**json.loads(json.dumps(asdict(given))))


async def test_connects(listener: socket.socket) -> None:
    """It connects, times the phases of the way, and says between whom the connection is."""
    made, record = await dial(Dialer(options(at(listener))))
    assert listener.getsockname() == made.peer
    assert record.durations.keys() == {Phase.RESOLVE, Phase.CONNECT}
    assert all(0 < duration < SECONDS * 1e9 for duration in record.durations.values())
    assert (at(listener), at(listener)) == (str(record.endpoint), str(record.target))
    ours, _ = listener.accept()
    with ours:
        assert record.local == "{}:{}".format(*ours.getpeername())


async def test_connects_to_a_name(listener: socket.socket) -> None:
    """A name is resolved."""
    port = listener.getsockname()[1]
    made, record = await dial(Dialer(options(f"localhost:{port}")))
    assert listener.getsockname() == made.peer
    assert (f"127.0.0.1:{port}", f"localhost:{port}") == (str(record.endpoint), str(record.target))


async def test_connects_to_an_endpoint(listener: socket.socket) -> None:
    """Given an endpoint it asks nobody for the name, and tries no other."""
    endpoint = Endpoint(socket.AF_INET, listener.getsockname())
    made, record = await dial(Dialer(options("no.such.name:80")), endpoint)
    assert listener.getsockname() == made.peer
    assert record.durations.keys() == {Phase.CONNECT}


async def test_connects_to_a_unix_socket(tmp_path: Path) -> None:
    """It connects to a Unix socket, which needs no name resolved."""
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        made, record = await dial(Dialer(options(f"unix:{path}")))
    assert path == made.peer
    assert record.durations.keys() == {Phase.CONNECT}
    assert (str(record.endpoint), record.local) == (f"unix:{path}", "unix")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_announces_itself(listener: socket.socket, version: str) -> None:
    """A PROXY header comes before everything else."""
    await dial(Dialer(options(at(listener), proxy_protocol=version)))
    theirs, source = listener.accept()
    with theirs:
        heard = theirs.recv(1000)
    if version == "v1":
        ours = listener.getsockname()
        assert f"PROXY TCP4 {source[0]} {ours[0]} {source[1]} {ours[1]}\r\n".encode() == heard
    else:
        assert heard.startswith(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c")


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: Any) -> None:
    async def resolve(_dialer: Dialer, _way: DialRecord) -> list[Endpoint]:
        return [Endpoint(socket.AF_INET, address) for address in addresses]

    monkeypatch.setattr(Dialer, "resolve", resolve)


def _refusing() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        host, port = other.getsockname()
        return host, port


async def test_next_address(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first address of a name refuses, the next is tried."""
    _resolve_to(monkeypatch, _refusing(), listener.getsockname())
    made, record = await dial(Dialer(options("both:1")))
    assert listener.getsockname() == made.peer
    assert at(listener) == str(record.endpoint)


async def test_no_address_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none takes the connection the error is that of the last."""
    first, last = _refusing(), _refusing()
    _resolve_to(monkeypatch, first, last)
    error = await failure(options("both:1"))
    assert (error.outcome, error.detail) == (Outcome.REFUSED, "{}:{}: Connection refused".format(*last))


async def test_refused() -> None:
    """Where nobody listens it is refused, and the error names the address."""
    target = "{}:{}".format(*_refusing())
    error = await failure(options(target))
    assert (error.outcome, error.phase) == (Outcome.REFUSED, Phase.CONNECT)
    assert error.detail == f"{target}: Connection refused"


def test_connected_to_itself() -> None:
    """Where nobody listens and the kernel draws the target's own port for this end, nobody has answered."""
    with socket.socket() as itself:
        itself.bind(("127.0.0.1", 0))
        itself.connect(itself.getsockname())
        with pytest.raises(ConnectionRefusedError):
            _refuse_self(itself)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/proc/self/missing", "No such file or directory"),
        ("/proc/self/missing/too", "No such file or directory"),
        ("long" * 50, "AF_UNIX path too long"),
    ],
    ids=["missing", "no folder", "long"],
)
async def test_no_unix_socket(path: str, detail: str) -> None:
    """A Unix socket that does not exist, or cannot, cannot be reached."""
    error = await failure(options(f"unix:{path}"))
    assert (error.outcome, error.phase) == (Outcome.UNREACHABLE, Phase.CONNECT)
    assert error.detail == f"unix:{path}: {detail}"


async def test_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of a family that this machine has no sockets for is an outcome like any other."""

    async def resolve(_dialer: Dialer, _way: DialRecord) -> list[Endpoint]:
        return [Endpoint(1000, ("127.0.0.1", 80))]

    monkeypatch.setattr(Dialer, "resolve", resolve)
    error = await failure(options("odd:80"))
    assert (error.outcome, error.phase) == (Outcome.UNREACHABLE, Phase.CONNECT)
    assert error.detail.endswith("Address family not supported by protocol")


@pytest.mark.parametrize(
    "host", ["no.such.name." * 20, "a..b", "a" * 70, "\udcff"], ids=["long", "gap", "label", "raw"]
)
async def test_name_that_does_not_resolve(host: str) -> None:
    """A name that does not resolve, or cannot even be one, is an outcome like any other."""
    error = await failure(options(f"{host}:80"))
    assert (error.outcome, error.phase) == (Outcome.DNS, Phase.RESOLVE)
    assert error.detail.startswith(f"{host}:80: ")


async def test_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not resolved in time is no connection in time, and the phase says why."""

    async def resolve(_dialer: Dialer, _way: DialRecord) -> list[Endpoint]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(Dialer, "resolve", resolve)
    error = await failure(options("slow:80", connect_timeout_seconds=0.05))
    assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.RESOLVE)


async def test_nobody_answers() -> None:
    """A target that does not answer is given up after the time-out."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # room for one, and then the kernel drops what knocks
        for each in (first, second):
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        error = await failure(options(at(full), connect_timeout_seconds=0.1))
    assert (error.outcome, error.phase) == (Outcome.CONNECT_TIMEOUT, Phase.CONNECT)
    assert "no connection within 0.1 s" in error.detail


@pytest.mark.parametrize(
    ("number", "outcome", "cuts"),
    [
        (errno.ECONNRESET, Outcome.RESET, [Outcome.RESET]),
        (errno.ENOTCONN, Outcome.RESET, [Outcome.RESET]),
        (errno.ECONNREFUSED, Outcome.REFUSED, []),
        (errno.EHOSTUNREACH, Outcome.UNREACHABLE, []),
    ],
)
async def test_reset_at_once(
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    outcome: Outcome,
    cuts: list[Outcome],
) -> None:
    """A connection that was cut before anybody could look at it was made, which the server knows as well."""
    told: list[Outcome] = []

    async def connect(_connection: socket.socket, _endpoint: Endpoint) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(dialing, "_complete_connect", connect)
    error = await failure(Dialer(options(at(listener)), lambda outcome, _age: told.append(outcome)))
    assert (error.outcome, error.phase, told) == (outcome, Phase.CONNECT, cuts)


@pytest.mark.parametrize("turns", range(12))
async def test_cancelled(listener: socket.socket, turns: int) -> None:
    """Cancelled at whatever turn of the event loop, a protocol that was told of a connection is told of its end."""
    begun: list[Made] = []

    class Noting(Made):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            begun.append(self)

    address = listener.getsockname()
    dialing = asyncio.ensure_future(Dialer(options(at(listener))).dial(Noting, Endpoint(listener.family, address)))
    for _ in range(turns):
        await asyncio.sleep(0)
    if not dialing.cancel():
        begun[0].transport.close()
    await asyncio.wait([dialing])
    for made in begun:
        await made.lost.wait()


def test_phase_that_fails_is_timed() -> None:
    """How long a phase took is known when it failed too, and several tries add up."""
    record = DialRecord(Target("host", 80))
    for _ in range(2):
        before = record.durations.get(Phase.CONNECT, 0)
        with pytest.raises(ExchangeError), record.timed(Phase.CONNECT):
            raise ConnectionRefusedError
        assert record.durations[Phase.CONNECT] > before
