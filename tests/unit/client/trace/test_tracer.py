"""One exchange, part by part."""

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

import connections
from certificates import Authority
from lying import Behaviour, LyingServer, add, close_early, flip, reset, stay_silent, truncate
from stentor_chassis.encoding import encode
from stentor_client.trace import tracer
from stentor_client.trace.tracer import Trace
from stentor_client.verify.message import MessageSource
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire import race
from stentor_client.wire.dialer import Dialer, DialOptions
from unit.client.probing import honest
from unit.client.wire.naming import refusing, resolve_to, swallowing

SECONDS = 10.0
WAY = ["resolve", "connect"]
WHOLE = [*WAY, "send", "first_byte", "reply", "close"]


def _dialer(target: str, **changes: object) -> Dialer:
    return Dialer(DialOptions(**{"target": target, "connect_timeout_seconds": SECONDS, **changes}))  # type: ignore[arg-type]


def _trace(behaviour: Behaviour, message: bytes = b"hello", timeout: float = SECONDS) -> Trace:
    with LyingServer(behaviour) as server:
        return tracer.trace(_dialer(server.target), message, [(message.upper(), 0, len(message))], timeout)


def _check(trace: Trace) -> None:
    """Assert what holds for any trace: its parts follow each other, and add up to the whole."""
    assert trace.begun <= trace.parts[0].begun
    assert trace.ended == trace.parts[-1].ended
    assert all(part.begun <= part.ended for part in trace.parts)
    assert all(before.ended <= after.begun for before, after in pairwise(trace.parts))
    assert trace.total == trace.between + sum(part.ended - part.begun for part in trace.parts)
    facts = json.loads(encode(trace.facts()))
    phases = [phase["duration_seconds"] for phase in facts["phases"]]
    assert facts["total_seconds"] == pytest.approx(sum(phases) + facts["between_seconds"])


def test_whole() -> None:
    """A good exchange has every part, in order, and both ends."""
    trace = _trace(honest)
    _check(trace)
    assert [part.name for part in trace.parts] == WHOLE
    assert (trace.outcome, trace.detail) == (Outcome.OK, "")
    assert (trace.message_bytes, trace.accepted_bytes, trace.sent_bytes, trace.received_bytes) == (5, 5, 5, 5)
    assert (trace.remote, trace.addresses, trace.reads) == (trace.target, [trace.target], 1)
    assert trace.local.startswith("127.0.0.1:")
    assert trace.rtt_microseconds is not None
    assert (trace.rtt_microseconds > 0, trace.retransmits) == (True, 0)
    assert (trace.tls, trace.proxy_header) == (None, b"")


def test_large_message() -> None:
    """What is larger than all buffers is answered while it is being sent."""
    size = 32 << 20
    message, reply = MessageSource(size, bytes.upper).build(1, 0, size)
    with LyingServer(honest) as server:
        trace = tracer.trace(_dialer(server.target), message, reply, SECONDS)
    _check(trace)
    assert trace.outcome is Outcome.OK
    assert trace.sent_bytes == trace.received_bytes == size
    assert trace.accepted_bytes < size
    assert trace.reads > 1


def test_first_byte_is_not_the_last() -> None:
    """The first byte and the last have times of their own."""
    between = 0

    def in_two(connection: socket.socket) -> None:
        nonlocal between
        data = connection.recv(100).upper()
        connection.sendall(data[:1])
        threading.Event().wait(0.2)  # so that the first byte is a read of its own
        between = time.perf_counter_ns()
        connection.sendall(data[1:])
        connection.recv(100)

    trace = _trace(in_two)
    first, rest = trace.parts[3], trace.parts[4]
    assert (first.name, rest.name, trace.reads) == ("first_byte", "reply", 2)
    assert first.ended < between < rest.ended


def _stay(connection: socket.socket) -> None:
    honest(connection)
    threading.Event().wait(2 * SECONDS)


def _add_later(connection: socket.socket) -> None:
    honest(connection)
    connection.sendall(b"!")


def _reset_later(connection: socket.socket) -> None:
    honest(connection)
    connections.reset(connection)


@pytest.mark.parametrize(
    ("behaviour", "outcome", "parts"),
    [
        (close_early, Outcome.EOF, WHOLE[:4]),
        (reset, Outcome.RESET, WHOLE[:4]),
        (stay_silent, Outcome.TIMEOUT, WHOLE[:4]),
        (truncate, Outcome.SHORT, WHOLE[:5]),
        (flip, Outcome.MISMATCH, WHOLE[:5]),
        (add, Outcome.EXTRA, WHOLE[:5]),
        (_add_later, Outcome.EXTRA, WHOLE),
        (_stay, Outcome.TIMEOUT, WHOLE),
        (_reset_later, Outcome.RESET, WHOLE),
    ],
)
def test_up_to_where_it_failed(behaviour: Behaviour, outcome: Outcome, parts: list[str]) -> None:
    """The last part is the one that failed, which is the close after a good reply; the detail says what was wrong."""
    trace = _trace(behaviour, timeout=2.0 if outcome is Outcome.TIMEOUT else SECONDS)
    _check(trace)
    assert (trace.outcome, [part.name for part in trace.parts]) == (outcome, parts)
    assert trace.detail.startswith(f"{trace.target}: ")


def test_addresses_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address that is tried has its part, and those that failed say why."""
    deaf = "{}:{}".format(*refusing())
    with LyingServer(honest) as server:
        resolve_to(monkeypatch, deaf, server.target)
        trace = tracer.trace(_dialer("two.invalid:1"), b"a", [(b"A", 0, 1)], SECONDS)
    _check(trace)
    tried = [(part.remote, part.error) for part in trace.parts if part.name == "connect"]
    assert tried == [(deaf, "Connection refused"), (server.target, "")]
    assert (trace.outcome, trace.addresses) == (Outcome.OK, [deaf, server.target])


def test_no_address_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace lasts as long as the longest attempt, and none looks as if it had connected."""
    with swallowing() as silent:
        deaf = ["{}:{}".format(*each) for each in (silent, refusing())]
        resolve_to(monkeypatch, *deaf)
        monkeypatch.setattr(race, "ATTEMPT_DELAY_SECONDS", 0.01)
        dialer = _dialer("two.invalid:1", connect_timeout_seconds=0.5)
        trace = tracer.trace(dialer, b"a", [(b"A", 0, 1)], SECONDS)
    tried = [(part.remote, part.error) for part in trace.parts if part.name == "connect"]
    assert tried == [(deaf[0], "no answer"), (deaf[1], "Connection refused")]
    assert trace.total > 450_000_000
    assert trace.between >= 0


def test_tls(tmp_path: Path) -> None:
    """With TLS there is the handshake, and what it agreed on; the server sees the end."""
    authority = Authority(tmp_path)
    heard: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper())
        heard.append(connection.recv(100))

    with LyingServer(serve, authority.serve(authority.issue("server"))) as server:
        dialer = _dialer(server.target, tls=True, tls_ca=authority.file)
        trace = tracer.trace(dialer, b"hello", [(b"HELLO", 0, 5)], SECONDS)
    _check(trace)
    assert ([part.name for part in trace.parts], trace.outcome) == ([*WAY, "tls", *WHOLE[2:]], Outcome.OK)
    assert trace.tls is not None
    assert (trace.tls.version, trace.tls.names) == ("TLSv1.3", ["127.0.0.1"])
    assert trace.tls.cipher.startswith("TLS_")
    assert datetime.fromisoformat(trace.tls.expires_at) - datetime.now(UTC) <= timedelta(days=1)
    assert heard == [b""]


def test_proxy_header() -> None:
    """The PROXY header that was sent first is part of the facts."""

    def behind_proxy(connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            heard.append(file.readline())
            connection.sendall(file.read(5).upper())

    heard: list[bytes] = []
    with LyingServer(behind_proxy) as server:
        dialer = _dialer(server.target, proxy_protocol="v1")
        trace = tracer.trace(dialer, b"hello", [(b"HELLO", 0, 5)], SECONDS)
    assert (trace.outcome, [trace.proxy_header]) == (Outcome.OK, heard)
    assert trace.facts()["proxy_header"] == heard[0].decode()
    assert trace.sent_bytes == 5


def test_tls_that_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under TLS, too, an end that does not come is the close's, and told."""
    monkeypatch.setattr("stentor_client.wire.dialer.TLS_CLOSE_SECONDS", SECONDS)
    authority = Authority(tmp_path)
    context = authority.serve(authority.issue("server"))

    def serve(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper())
        threading.Event().wait(2 * SECONDS)

    with LyingServer(serve, context) as server:
        dialer = _dialer(server.target, tls=True, tls_ca=authority.file)
        trace = tracer.trace(dialer, b"hello", [(b"HELLO", 0, 5)], 2.0)
    _check(trace)
    assert (trace.outcome, trace.parts[-1].name) == (Outcome.TIMEOUT, "close")
    assert trace.detail.endswith("no progress for 2 s: the peer does not end its side")
