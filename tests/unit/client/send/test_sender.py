"""Sending what one is given."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from lying import Behaviour, LyingServer, flip, stay_silent
from stentor_chassis.failure import INTERNAL_ERROR, Failure
from stentor_client.send import sender as send
from stentor_client.send.sender import PART_BYTES, Sender
from stentor_client.wire.dialer import DialOptions
from unit.client.probing import honest
from unit.client.wire.naming import refusing

SECONDS = 10.0
MESSAGE = b"twenty bytes of text"
Output = pytest.CaptureFixture[bytes]


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
def standard_input() -> Iterator[Callable[[], int]]:
    """Puts a pipe in the place of standard input, and gives its other end."""
    kept = os.dup(0)
    write_ends: list[int] = []

    def replace() -> int:
        read, write = os.pipe()
        os.dup2(read, 0)
        os.close(read)
        write_ends.append(write)
        return write

    yield replace
    for write in write_ends:
        try:
            os.close(write)
        except OSError:
            continue  # the test has closed it
    os.dup2(kept, 0)
    os.close(kept)


@pytest.fixture
def standard_output() -> Iterator[Callable[[int], None]]:
    """Puts a descriptor in the place of standard output."""
    kept = os.dup(1)

    def replace(fd: int) -> None:
        os.dup2(fd, 1)
        os.close(fd)

    yield replace
    os.dup2(kept, 1)
    os.close(kept)


def _dial(target: str) -> DialOptions:
    return DialOptions(target=target, connect_timeout_seconds=SECONDS)


def _send(behaviour: Behaviour, data: bytes | None = MESSAGE, timeout: float = SECONDS, expect: str = "upper") -> None:
    with LyingServer(behaviour) as server:
        Sender(_dial(server.target), expect, timeout).stream(data)


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


def test_standard_input(capfdbinary: Output, standard_input: Callable[[], int]) -> None:
    """Standard input is sent as it comes, whatever it holds, each part before the next is there."""
    write = standard_input()
    parts = [bytes(range(256)), b"a" * 500_000, b"\xff\x00", b"end"]

    def feed() -> None:
        for part in parts:
            os.write(write, part[:1])
            answered.acquire(timeout=SECONDS)
            with os.fdopen(os.dup(write), "wb") as pipe:
                pipe.write(part[1:])
        os.close(write)

    answered = threading.Semaphore(0)

    def tell(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            connection.sendall(data.upper())
            answered.release()

    feeding = threading.Thread(target=feed)
    feeding.start()
    _send(tell, None)
    feeding.join()
    assert (b"".join(parts).upper(), b"") == capfdbinary.readouterr()


def test_empty_standard_input(capfdbinary: Output, standard_input: Callable[[], int]) -> None:
    """Nothing to send has an empty reply, which is right."""
    os.close(standard_input())
    _send(honest, None)
    assert capfdbinary.readouterr() == (b"", b"")


def test_quiet_standard_input(capfdbinary: Output, standard_input: Callable[[], int]) -> None:
    """While nothing is due no timeout runs: a person may think for longer than it."""
    write = standard_input()
    heard = threading.Event()

    def think() -> None:
        os.write(write, b"first")
        heard.wait(SECONDS)
        threading.Event().wait(1.5)  # longer than the timeout
        os.write(write, b" second")
        os.close(write)

    def tell(connection: socket.socket) -> None:
        for data in iter(lambda: connection.recv(65536), b""):
            connection.sendall(data.upper())
            heard.set()

    thinking = threading.Thread(target=think)
    thinking.start()
    _send(tell, None, timeout=1.0)
    thinking.join()
    assert capfdbinary.readouterr().out == b"FIRST SECOND"


@pytest.mark.parametrize("behaviour", [stay_silent, be_deaf])
@pytest.mark.parametrize("size", [20, 20_000_000])
def test_no_progress(capfdbinary: Output, behaviour: Behaviour, size: int) -> None:
    """A server that stops reading or answering is given up after the timeout."""
    with pytest.raises(Failure, match=r"^timeout: .*: no progress for 0.2 s") as failure:
        _send(behaviour, b"x" * size, timeout=0.2)
    assert failure.value.code == 4


def _feed(write: int, data: bytes, part_bytes: int) -> None:
    """Give `data` to standard input in these parts, and end it; the other end may go before."""

    def feed() -> None:
        with contextlib.suppress(OSError):
            for at in range(0, len(data), part_bytes):
                os.write(write, data[at : at + part_bytes])
            os.close(write)

    threading.Thread(target=feed, daemon=True).start()


@pytest.mark.parametrize(
    ("part_bytes", "most"),
    # What is read at once comes on top of the limit. Of many small parts it is the number that counts.
    [(65536, (1 << 20) + (256 << 10)), (1, (1 << 20) // PART_BYTES * 2)],
    ids=["large", "small"],
)
def test_nothing_is_kept_without_bound(
    monkeypatch: pytest.MonkeyPatch, standard_input: Callable[[], int], part_bytes: int, most: int
) -> None:
    """A server that reads on and on, and never answers, is not sent more than can be kept, and given up."""
    monkeypatch.setattr(send, "UNANSWERED_BYTES", 1 << 20)
    taken = 0

    def swallow(connection: socket.socket) -> None:
        nonlocal taken
        for data in iter(lambda: connection.recv(65536), b""):
            taken += len(data)
            read.release()

    read = threading.Semaphore(0)
    write = standard_input()
    if part_bytes > 1:
        _feed(write, b"x" * (8 << 20), part_bytes)
    else:

        def feed_singly() -> None:
            """Wait until each byte has gone, so that it is a part of its own."""
            with contextlib.suppress(OSError):
                for _ in range(most * 4):
                    os.write(write, b"x")
                    if not read.acquire(timeout=SECONDS):
                        return

        threading.Thread(target=feed_singly, daemon=True).start()
    with pytest.raises(Failure, match=r"^timeout: .*: no progress for 0.5 s before any byte of the reply$"):
        _send(swallow, None, timeout=0.5)
    assert 0 < taken <= most


def test_what_is_stored_and_passed_on_later(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: Output, standard_input: Callable[[], int]
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

    _feed(standard_input(), data, 65536)
    _send(store, None)
    assert (data.upper(), b"") == capfdbinary.readouterr()


def test_slow_reply_to_what_may_be_unanswered(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: Output, standard_input: Callable[[], int]
) -> None:
    """While sending waits for the reply, a reply that moves keeps the time-out away, however slow it is."""
    monkeypatch.setattr(send, "UNANSWERED_BYTES", 64 << 10)
    data = b"x" * (512 << 10)

    def crawl(connection: socket.socket) -> None:
        while more := connection.recv(32 << 10):
            threading.Event().wait(0.1)
            connection.sendall(more.upper())

    _feed(standard_input(), data, 16 << 10)
    _send(crawl, None, timeout=1.2)
    assert data.upper() == capfdbinary.readouterr().out


def test_reset_after_the_reply(capfdbinary: Output) -> None:
    """A connection that is cut after the complete reply did not end as it should, which is told."""

    def reset_at_the_end(connection: socket.socket) -> None:
        honest(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with pytest.raises(Failure, match=r"^reset: ") as failure:
        _send(reset_at_the_end)
    assert failure.value.code == 4


def test_server_that_does_not_end(capfdbinary: Output) -> None:
    """A server that answers all and then does not end, though the client has, is given up and told of as well."""
    with pytest.raises(Failure, match=r"^timeout: .*: no progress for 1 s: the peer does not end its side$") as failure:
        _send(answer_and_stay, timeout=1.0)
    assert failure.value.code == 4
    assert MESSAGE.upper() == capfdbinary.readouterr().out


def test_wrong_reply_ends_the_stream(standard_input: Callable[[], int], capfdbinary: Output) -> None:
    """A wrong byte ends the exchange at once, though there may be more to send."""
    os.write(standard_input(), b"not the end")
    with pytest.raises(Failure, match=r"^mismatch: .*: at byte 4 of the reply"):
        _send(flip, None)


def test_full_output(standard_output: Callable[[int], None]) -> None:
    """A reply that cannot be written, because the disk is full, is told."""
    standard_output(os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(Failure, match=r"^cannot write standard output: No space left on device$") as failure:
        _send(honest)
    assert failure.value.code == INTERNAL_ERROR


def test_no_server() -> None:
    """Where nobody listens the outcome and the target are told."""
    target = "{}:{}".format(*refusing())
    with pytest.raises(Failure, match=f"^refused: {target}: Connection refused$") as failure:
        Sender(_dial(target), "upper", SECONDS).stream(MESSAGE)
    assert failure.value.code == 3
