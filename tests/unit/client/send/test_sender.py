"""Sending what one is given."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from io import FileIO

import pytest

from connections import reset
from lying import Behaviour, LyingServer, flip, stay_silent
from stentor_chassis.failure import INTERNAL_ERROR, Failure
from stentor_client.send import sender as send
from stentor_client.send.sender import PART_BYTES, Sender
from stentor_client.wire.dialer import DialOptions
from unit.client.probing import honest

SECONDS = 10.0
MESSAGE = b"twenty bytes of text"
Output = pytest.CaptureFixture[bytes]
Replace = Callable[[int, int], None]


def answer_at_the_end(connection: socket.socket) -> None:
    """Read to the end, and answer then."""
    data = b"".join(iter(lambda: connection.recv(65536), b""))
    connection.sendall(data.upper())


def answer_and_stay(connection: socket.socket) -> None:
    """Answer, and do not end when the client has."""
    honest(connection)
    threading.Event().wait(SECONDS)


def be_deaf(connection: socket.socket) -> None:
    """Read nothing."""
    threading.Event().wait(SECONDS)


@pytest.fixture
def standard_input(replace: Replace) -> Iterator[FileIO]:
    """The other end of a pipe in place of standard input."""
    read, write = os.pipe()
    replace(0, read)
    with FileIO(write, "wb") as pipe:
        yield pipe


def _beside(work: Callable[[], object]) -> None:
    """Work in a thread, until it is done, or the other end of the pipe is closed."""

    def run() -> None:
        with contextlib.suppress(OSError):
            work()

    threading.Thread(target=run, daemon=True).start()


def _send(behaviour: Behaviour, data: bytes | None = MESSAGE, timeout: float = SECONDS, expect: str = "upper") -> None:
    with LyingServer(behaviour) as server:
        dial = DialOptions(target=server.target, connect_timeout_seconds=SECONDS)
        Sender(dial, expect, timeout).stream(data)


@pytest.mark.parametrize("behaviour", [honest, answer_at_the_end])
@pytest.mark.parametrize("data", [b"hello\n", bytes(range(256)), b"x" * 3_000_000], ids=len)
def test_reply_to_standard_output(capfdbinary: Output, behaviour: Behaviour, data: bytes) -> None:
    """The verified reply, and nothing else, goes to standard output."""
    _send(behaviour, data)
    assert (data.upper(), b"") == capfdbinary.readouterr()


def test_echo(capfdbinary: Output) -> None:
    """What the reply must be is an option."""
    with pytest.raises(Failure, match="mismatch"):
        _send(honest, expect="echo")
    assert MESSAGE.upper() == capfdbinary.readouterr().out


def test_standard_input(capfdbinary: Output, standard_input: FileIO) -> None:
    """Standard input is sent as it arrives, whatever it holds; while nothing is due, no time-out runs."""
    parts = [b"\xff\x00", bytes(range(256)), b"a" * 500_000]
    answered = threading.Semaphore(0)

    def think() -> None:
        for part in parts:
            standard_input.write(part)
            answered.acquire(timeout=SECONDS)
            threading.Event().wait(3.5 if part is parts[0] else 0)  # longer than the time-out
        standard_input.close()

    def answer(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            connection.sendall(data.upper())
            answered.release()

    _beside(think)
    _send(answer, None, timeout=3.0)
    assert (b"".join(parts).upper(), b"") == capfdbinary.readouterr()


@pytest.mark.parametrize("behaviour", [stay_silent, be_deaf])
@pytest.mark.parametrize("size", [20, 20_000_000])
def test_no_progress(capfdbinary: Output, behaviour: Behaviour, size: int) -> None:
    """A server that stops reading or answering is given up after the timeout."""
    with pytest.raises(Failure, match=r"^timeout: .*: no progress for 0.2 s") as failure:
        _send(behaviour, b"x" * size, timeout=0.2)
    assert failure.value.code == 4


def _feed(pipe: FileIO, data: bytes, part_bytes: int) -> None:
    """Write `data` to the pipe in these parts, and close it."""

    def feed() -> None:
        for at in range(0, len(data), part_bytes):
            pipe.write(data[at : at + part_bytes])
        pipe.close()

    _beside(feed)


@pytest.mark.parametrize(
    ("part_bytes", "most"),
    # What is read at once comes on top of the limit. Of many small parts it is the number that counts.
    [(65536, (1 << 20) + (256 << 10)), (1, (1 << 20) // PART_BYTES * 2)],
    ids=["large", "small"],
)
def test_nothing_is_kept_without_bound(
    monkeypatch: pytest.MonkeyPatch, standard_input: FileIO, part_bytes: int, most: int
) -> None:
    """A server that reads on and on, and never answers, is not sent more than can be kept, and given up."""
    monkeypatch.setattr(send, "UNANSWERED_BYTES", 1 << 20)
    taken = 0
    read = threading.Semaphore(0)

    def swallow(connection: socket.socket) -> None:
        nonlocal taken
        for data in iter(lambda: connection.recv(65536), b""):
            taken += len(data)
            read.release()

    def feed() -> None:
        for _ in range(4 * most // part_bytes):
            standard_input.write(b"x" * part_bytes)
            if part_bytes == 1 and not read.acquire(timeout=SECONDS):
                return  # each byte is sent before the next one, so that it is a part of its own

    _beside(feed)
    with pytest.raises(Failure, match=r"^timeout: .*: no progress for 0.5 s before any byte of the reply$"):
        _send(swallow, None, timeout=0.5)
    assert 0 < taken <= most


def test_what_is_stored_and_passed_on_later(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: Output, standard_input: FileIO
) -> None:
    """Where a path stores what it gets, up to what may be unanswered, all of a longer message comes through."""
    monkeypatch.setattr(send, "UNANSWERED_BYTES", 1 << 20)
    stored_bytes = 1 << 20
    data = bytes(range(256)) * (5 << 12)

    def store(connection: socket.socket) -> None:
        stored = b""
        while more := connection.recv(65536):
            stored += more
            if len(stored) >= stored_bytes:
                connection.sendall(stored.upper())
                stored = b""
        connection.sendall(stored.upper())

    _feed(standard_input, data, 65536)
    _send(store, None)
    assert (data.upper(), b"") == capfdbinary.readouterr()


def test_slow_reply_to_what_may_be_unanswered(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: Output, standard_input: FileIO
) -> None:
    """While sending waits for the reply, a reply that moves keeps the time-out away, however slow it is."""
    monkeypatch.setattr(send, "UNANSWERED_BYTES", 64 << 10)
    data = b"x" * (512 << 10)

    def crawl(connection: socket.socket) -> None:
        while more := connection.recv(32 << 10):
            threading.Event().wait(0.2)  # in sum longer than the time-out
            connection.sendall(more.upper())

    _feed(standard_input, data, 16 << 10)
    _send(crawl, None, timeout=2.5)
    assert data.upper() == capfdbinary.readouterr().out


def test_reset_after_the_reply(capfdbinary: Output) -> None:
    """A connection that is cut after the complete reply did not end as it should, which is told."""

    def reset_at_the_end(connection: socket.socket) -> None:
        honest(connection)
        reset(connection)

    with pytest.raises(Failure, match=r"^reset: ") as failure:
        _send(reset_at_the_end)
    assert failure.value.code == 4


def test_server_that_does_not_end(capfdbinary: Output) -> None:
    """A server that answers all and then does not end, though the client has, is given up and told of as well."""
    with pytest.raises(Failure, match=r"^timeout: .*: no progress for 3 s: the peer does not end its side$") as failure:
        _send(answer_and_stay, timeout=3.0)
    assert failure.value.code == 4
    assert MESSAGE.upper() == capfdbinary.readouterr().out


def test_wrong_reply_ends_the_stream(standard_input: FileIO, capfdbinary: Output) -> None:
    """A wrong byte ends the exchange at once, though there may be more to send."""
    standard_input.write(b"not the end")
    with pytest.raises(Failure, match=r"^mismatch: .*: at byte 4 of the reply"):
        _send(flip, None)


def test_full_output(replace: Replace) -> None:
    """A reply that cannot be written, because the disk is full, is told."""
    replace(1, os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(Failure, match=r"^cannot write standard output: No space left on device$") as failure:
        _send(honest)
    assert failure.value.code == INTERNAL_ERROR
