"""The load generator."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from bench.contender import Contender
from bench.load import Load, LoadFailedError
from bench.measurement import Bench

ONE = ("--connections", "1")


@contextmanager
def loaded(
    bench: Bench, answer: Callable[[socket.socket], None], *arguments: str, seconds: float = 60
) -> Iterator[Load]:
    """Run the generator against a server that answers one connection and then closes its side."""

    def accept() -> None:
        with listener.accept()[0] as connection, suppress(OSError):
            answer(connection)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(1024):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        with bench.generator.running(listener.getsockname()[1], arguments, seconds, 0, (1,)) as load:
            yield load
        thread.join()


@pytest.mark.parametrize(
    "arguments",
    ["--size 64 --idle 100", "--size 1000000 --connections 2", "--size 5 --pipeline 32", "--churn", "--non-reading 2"],
)
def test_it_accepts_right_replies(bench: Bench, peer: Contender, arguments: str) -> None:
    """It reports its progress, and finally the number of exchanges and their times."""
    with (
        peer.running((0,), bench.folder) as server,
        bench.generator.running(server.port, arguments.split(), 0.1, 0.05, (1,)) as load,
    ):
        assert load.wait_for("open") == {"open": True}
        assert load.wait_for("warm") == {"warm": True}
        result = load.wait_for("exchanges")
    assert result["exchanges"] > 0
    assert result["seconds"] >= 0.1
    assert 0 < result["p50_us"] <= result["p99_us"] <= result["p999_us"]


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_it_counts_every_exchange_once(bench: Bench, seconds: float) -> None:
    """Its count, at least 1, is that of the server without the one of the warm-up and one that was cut off."""
    answered = 0

    def answer(connection: socket.socket) -> None:
        nonlocal answered
        while len(message := connection.recv(64, socket.MSG_WAITALL)) == 64:
            connection.sendall(message.upper())
            answered += 1

    with loaded(bench, answer, *ONE, seconds=seconds) as load:
        counted = load.wait_for("exchanges")["exchanges"]
    assert counted > 0
    assert counted in {answered - 1, answered - 2}


@pytest.mark.parametrize("wrong", [0, 31, 63])
def test_it_compares_every_byte(bench: Bench, wrong: int) -> None:
    """One wrong byte in a reply fails the run."""

    def answer(connection: socket.socket) -> None:
        reply = bytearray(connection.recv(64, socket.MSG_WAITALL).upper())
        reply[wrong] ^= 1
        connection.sendall(reply)

    with loaded(bench, answer, *ONE) as load, pytest.raises(LoadFailedError, match="wrong reply within bytes 0 to 64"):
        load.wait_for("exchanges")


@pytest.mark.parametrize(
    ("arguments", "message"), [(ONE, "closed a connection"), (("--idle", "1", "--connections", "0"), "idle")]
)
def test_a_connection_that_is_closed_fails(bench: Bench, arguments: tuple[str, ...], message: str) -> None:
    """Whether it carries messages or is only held open."""
    with loaded(bench, lambda _: None, *arguments) as load, pytest.raises(LoadFailedError, match=message):
        load.wait_for("exchanges")
