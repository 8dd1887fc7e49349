"""The load generator."""

import socket
import threading
from collections.abc import Iterator

import pytest

from bench.contender import Contender
from bench.load import Generator, LoadFailedError


@pytest.fixture
def server(peer: Contender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a right server."""
    with peer.running((0,), tmp_path_factory.mktemp("server")) as server:
        yield server.port


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "64"],
        ["--size", "1000000", "--connections", "2"],
        ["--size", "5", "--pipeline", "32"],
        ["--churn"],
        ["--idle", "100"],
    ],
    ids=" ".join,
)
def test_it_counts_right_replies(generator: Generator, server: int, arguments: list[str]) -> None:
    """It says how far it is, and in the end how many exchanges there were and how long they took."""
    with generator.running(server, arguments, 0.1, 0.05, (1,)) as load:
        assert load.wait_for("open") == {"open": True}
        assert load.wait_for("warm") == {"warm": True}
        result = load.wait_for("exchanges")
    assert result["exchanges"] > 0
    assert result["seconds"] >= 0.1
    assert 0 < result["p50_us"] <= result["p99_us"] <= result["p999_us"]


def test_a_wrong_reply_fails(generator: Generator) -> None:
    """Bytes that are not upper-cased are no result."""

    def echo() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(connection.recv(64))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=echo)
        thread.start()
        with (
            generator.running(listener.getsockname()[1], ["--connections", "1"], 0.1, 0, (1,)) as load,
            pytest.raises(LoadFailedError, match="wrong reply within bytes 0 to 64"),
        ):
            load.wait_for("exchanges")
        thread.join()


def test_an_idle_connection_that_ends_fails(generator: Generator) -> None:
    """Connections that only have to be open must be, to the end."""

    def end_all() -> None:
        for _ in range(3):
            listener.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=end_all)
        thread.start()
        arguments = ["--idle", "3", "--connections", "0"]
        with generator.running(listener.getsockname()[1], arguments, 0.1, 0, (1,)) as load:
            load.wait_for("open")
            thread.join()
            with pytest.raises(LoadFailedError, match="idle"):
                load.wait_for("exchanges")


def test_nobody_listens(generator: Generator) -> None:
    """A load that cannot be made says why."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        generator.running(port, [], 0.1, 0, (1,)) as load,
        pytest.raises(LoadFailedError, match="connect: Connection refused"),
    ):
        load.wait_for("open")


def test_it_is_ended_on_leaving(generator: Generator, server: int) -> None:
    """A load that would run for an hour does not outlive the block."""
    with generator.running(server, [], 3600, 0, (1,)) as load:
        load.wait_for("warm")
    with pytest.raises(ValueError, match="closed"):
        load.wait_for("exchanges")
