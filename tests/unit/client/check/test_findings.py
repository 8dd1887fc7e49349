"""What each check finds on a bad path, and what it names as the cause."""

import itertools
import re
import socket
import threading
from collections.abc import Callable

import pytest

import lying
from lying import Behaviour, LyingServer
from middlebox import between, keep_the_end
from middlebox import honest as honest_box
from stentor_client.check import battery, half_close
from stentor_client.check.addresses import Addresses
from stentor_client.check.answer import Answer
from stentor_client.check.check import Check, Status
from stentor_client.check.concurrency import CONNECTIONS, Concurrency
from stentor_client.check.connect import Connect
from stentor_client.check.duplex import Duplex
from stentor_client.check.half_close import HalfClose
from stentor_client.check.segmentation import Segmentation
from stentor_client.check.sizes import Sizes
from stentor_client.verify.outcomes import CHECK_FAILED, Outcome, Phase
from unit.client.check.checking import closed_port, result, subject
from unit.client.probing import honest
from unit.client.wire.naming import resolve_to

LOST = r"(eof: the peer closed the connection|reset: the connection was cut)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read slowly for a moment only."""
    monkeypatch.setattr(half_close, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(half_close, "QUICK_ATTEMPTS", 2)


def saying(words: bytes) -> Behaviour:
    """Answer anything with these words."""

    def say(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(words)

    return say


def together() -> Behaviour:
    """Serve nobody before all connections are there."""
    barrier = threading.Barrier(CONNECTIONS)

    def serve(connection: socket.socket) -> None:
        barrier.wait(10)
        honest(connection)

    return serve


def swapping() -> Behaviour:
    """Give two connections each other's replies."""
    meeting = threading.Barrier(2)
    numbers = itertools.count()
    letters: dict[int, bytes] = {}

    def swap(connection: socket.socket) -> None:
        number = next(numbers)
        if number < 2:
            letters[number] = connection.recv(64)
            meeting.wait(10)
            connection.sendall(letters[1 - number].upper())
        honest(connection)

    return swap


def forgetting() -> Behaviour:
    """Answer right for some bytes, and then echo."""

    def forget(connection: socket.socket) -> None:
        received = 0
        for data in iter(lambda: connection.recv(65536), b""):
            received += len(data)
            connection.sendall(data.upper() if received < 5000 else data)

    return forget


def losing() -> Behaviour:
    """Lose most of the reply on the third connection."""
    numbers = itertools.count()
    return lambda connection: (
        connection.sendall(connection.recv(65536).upper()[:100]) if next(numbers) == 2 else honest(connection)
    )


def storing(connection: socket.socket) -> None:
    """Answer once a MiB has arrived, and not before."""
    data = bytearray()
    while len(data) < 1 << 20:
        data += connection.recv(65536)
    connection.sendall(data.upper())
    connection.recv(1)


def through(pump: Callable[[socket.socket, socket.socket], None]) -> Behaviour:
    """Serve through a middlebox."""

    def serve(connection: socket.socket) -> None:
        with LyingServer(honest) as server:
            between(server.target, pump)(connection)

    return serve


GOOD: list[tuple[Check, Behaviour, int, str]] = [
    (Connect(), honest, 1 << 20, r"127\.0\.0\.1:\d+: resolve .*, connect .*s"),
    (Answer(), honest, 1 << 20, "64 B answered correctly"),
    *((Segmentation(), honest, largest, "one byte at a time, cut at .*") for largest in (1, 1000, 1 << 20)),
    (HalfClose(), through(honest_box), 2 << 20, r"the whole reply to 64 B and 2 MiB, then FIN; .*B of it also over .*"),
    (HalfClose(), honest, 64, "the whole reply to 64 B and 64 B, then FIN; .*"),
    (Duplex(), honest, 1 << 20, "the reply to 1 MiB began before the last 64 KiB were sent"),
    (Duplex(), honest, 1000, "the reply to 1000 B began before the last 500 B were sent"),
    (Concurrency(), together(), 1 << 20, "20 connections, 200 messages, each with its own reply"),
]

BAD: list[tuple[Check, Behaviour, str, str]] = [
    (Answer(), saying(b"\x15\x03\x01\x00\x02\x02\x46"), "mismatch: .* begins with a TLS alert: .*", "use --tls"),
    (Answer(), saying(b"SSH-2.0-OpenSSH_9\r\n"), "mismatch: .* an SSH server: 'SSH-2.0-OpenSSH_9'", "the wrong port"),
    (Answer(), lying.echo, "mismatch: the reply is the message, unchanged: something echoes", "--expect echo"),
    (Answer(), saying(b"220 welcome\r\n"), "mismatch: at byte [0-3] .*", "another service"),
    (Answer(), lying.close_early, f"{LOST} before any byte of the reply", "a server that is full"),
    (Sizes(2 << 20), lying.add, "1 B fails: extra: .*", "changes bytes, or sends more"),
    *((check, lying.flip, ".*mismatch: .*", "changes bytes") for check in (HalfClose(), Duplex())),
    (Segmentation(), lying.truncate, "one byte at a time: .*", "one segment as one message"),
    (Segmentation(), forgetting(), "cut at 50 random places: mismatch: .*", "one segment"),
    (Segmentation(), losing(), "20 messages in one piece: .*", "one segment"),
    (
        Duplex(),
        storing,
        "no byte of the reply to 1 MiB arrived before the last byte was sent, 1 s later",
        "stores the whole",
    ),
    (
        HalfClose(),
        through(keep_the_end),
        "64 B, then FIN: timeout: no progress for 1 s: the peer does not end its side",
        "does not forward the FIN",
    ),
    (
        Concurrency(),
        swapping(),
        "18 of 20 connections got every reply, .* with mismatch: the reply belongs to another connection .*",
        "mixes connections up",
    ),
]


@pytest.mark.parametrize(("check", "behaviour", "largest", "words"), GOOD)
async def test_good(check: Check, behaviour: Behaviour, largest: int, words: str) -> None:
    """A path that does no harm passes, also if only small messages are delivered."""
    found = await result(behaviour, check, largest=largest)
    assert found.status is Status.PASS, found.finding.detail
    assert re.fullmatch(words, found.finding.detail)


@pytest.mark.parametrize(("check", "behaviour", "words", "cause"), BAD)
async def test_bad(check: Check, behaviour: Behaviour, words: str, cause: str) -> None:
    """A path that does harm fails, with what was seen and what usually causes that."""
    patience = 1.0 if behaviour is storing or "timeout" in words else 10.0
    found = await result(behaviour, check, largest=2 << 20, timeout_seconds=patience)
    assert found.status is Status.FAIL
    assert re.fullmatch(words, found.finding.detail)
    assert cause in found.cause
    assert (battery.exit_code([found]) == CHECK_FAILED) is (found.finding.outcome is None) is (behaviour is storing)


async def test_failure_that_fin_has_no_part_in() -> None:
    """A failure that also occurs without FIN is not blamed on FIN."""
    calls = itertools.count()

    def give_up(connection: socket.socket) -> None:
        if next(calls) < 3:  # those that are read quickly
            honest(connection)
        else:
            lying.close_early(connection)

    found = await result(give_up, HalfClose(), largest=2 << 20)
    words = rf"2 MiB, then FIN, and the reply read slowly: {LOST}.*; without FIN also {LOST}.*"
    assert re.fullmatch(words, found.finding.detail)
    assert "FIN has no part in it" in found.cause


async def test_tls_cannot_end_one_direction() -> None:
    """Over TLS half-close is skipped, with the reason."""
    (found,) = await battery.run([HalfClose()], subject("127.0.0.1:1", tls=True))
    assert (found.status, found.finding.detail) == (Status.SKIP, "TLS cannot end one direction alone")


async def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address is tried; those that lead nowhere, or elsewhere, are named, and the worst is the outcome."""
    nobody = closed_port()
    with LyingServer(honest) as good, LyingServer(lying.echo) as wrong:
        for targets, status, words, outcomes in (
            ([good.target, good.target], Status.SKIP, f"{good.target} is the only one, and connect used it", None),
            (
                [nobody, good.target, wrong.target],
                Status.FAIL,
                f"2 of 3 failed: {nobody}: refused; {wrong.target}: mismatch",
                ["refused", "ok", "mismatch"],
            ),
        ):
            resolve_to(monkeypatch, *targets)
            (found,) = await battery.run([Addresses()], subject("somewhere:80"))
            assert (found.status, found.finding.detail) == (status, words)
            measured = found.finding.measured.get("addresses")
            assert (measured and [each["outcome"] for each in measured]) == outcomes
    assert (found.finding.outcome, found.finding.phase) == (Outcome.MISMATCH, Phase.REPLY)
    assert "another service" in found.cause
    with LyingServer(honest) as one, LyingServer(honest) as two:
        resolve_to(monkeypatch, one.target, two.target)
        (found,) = await battery.run([Addresses()], subject("somewhere:80"))
        assert (found.status, found.finding.detail) == (Status.PASS, f"{one.target} and {two.target}")
    (found,) = await battery.run([Addresses()], subject("unix:/nowhere"))
    assert (found.status, found.finding.detail) == (Status.SKIP, "a Unix socket has one address")
