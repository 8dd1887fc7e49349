"""Which connections are served, from which addresses, and how many."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bench.process import open_descriptors
from certificates import Authority
from connections import Crowd, exchanged, was_ended
from exposition import balanced
from processes import Server
from proxies import run_peer
from waiting import SECONDS, until


@pytest.mark.parametrize("allowed", [{"127.0.0.2"}, {"::1"}])
def test_allow(allowed: set[str]) -> None:
    """Only addresses of an allowed network are served, over IPv4 and IPv6; the admin endpoint answers all."""
    sources = {"127.0.0.1", "127.0.0.2", "::1"}
    options = ("--workers", "1", "--host", "127.0.0.1,::1", "--allow", *allowed, "--allow", "192.0.2.0/24")
    with Server(*options) as server:
        for source in sources:
            host = "::1" if source == "::1" else "127.0.0.1"
            with socket.create_connection((host, server.address[1]), SECONDS, source_address=(source, 0)) as connection:
                assert exchanged(connection) == (source in allowed)
        rejected = server.rejected("not_allowed", len(sources - allowed))
        assert {each["peer"].rpartition(":")[0].strip("[]") for each in rejected} == sources - allowed
        server.closed("eof", len(allowed))
        assert server.quiet()["stentor_server_connections_accepted_total"] == len(allowed)
        assert server.get("/readyz") == (200, "ready\n")


def test_default_limit() -> None:
    """By default there may be as many connections as descriptors in all workers, less some to spare."""
    with Server("--workers", "1", descriptors=130) as server:
        assert server.status()["config"]["max_connections"] == 30
        with ExitStack() as connections:
            for _ in range(30):
                assert exchanged(connections.enter_context(server.connect()))
            with server.connect() as refused:
                assert was_ended(refused, b"x")
            server.rejected("max_connections")
            assert server.find("listener.paused") == []
            assert server.get("/readyz") == (200, "ready\n")
        assert server.quiet()["stentor_server_connections_accepted_total"] == 30
        assert server.ask(b"again") == b"AGAIN"
    with Server("--workers", "3", descriptors=130) as server:
        assert server.status()["config"]["max_connections"] == 90


def test_limit_per_address() -> None:
    """The limit for one address holds exactly over all workers, for each address on its own.

    Connections of a killed worker count no more, so that exactly as many may follow.
    """
    with Server("--workers", "4", "--max-connections-per-address", "16") as server, ExitStack() as connections:

        def full(times: int) -> list[float]:
            """See that there is no place left, and return how many connections each worker has."""
            with server.connect() as refused:
                assert was_ended(refused, b"x")
            assert server.rejected("per_address", times)[0]["peer"].startswith("127.0.0.1:")
            values = server.metrics()
            return [values[f'stentor_server_worker_connections_active{{worker="{each}"}}'] for each in range(4)]

        def enter() -> socket.socket:
            connection = connections.enter_context(server.connect())
            assert exchanged(connection)
            return connection

        first, *_ = [enter() for _ in range(16)]
        assert max(full(1)) < 16  # so that it is the sum of several that is compared
        with server.connect(source="127.0.0.2") as another:
            assert exchanged(another)
        first.close()
        until(lambda: server.metrics()["stentor_server_connections_active"] == 15, "a place to be free")
        enter()
        spread = full(2)
        lost = max(spread)
        busiest = spread.index(lost)
        os.kill(server.worker_pids()[busiest], signal.SIGKILL)
        server.event("worker.started", 2, worker=busiest)
        for _ in range(int(lost)):
            enter()
        full(3)
        assert balanced(server.metrics())


@pytest.mark.parametrize("command", [("socat", "-t", "60", "-", "UNIX-CONNECT:{path}"), ("nc", "-N", "-U", "{path}")])
def test_unix_socket(tmp_path: Path, authority: Authority, command: tuple[str, ...]) -> None:
    """On the Unix socket all are served in plain text, whatever holds for the network, but for the limit of all."""
    path, data = tmp_path / "stentor.sock", os.urandom(1 << 20)
    guarded = ("--tls-cert", authority.issue("server"), "--allow", "192.0.2.1", "--max-connections-per-address", "1")
    proxied = ("--proxy-protocol", "any", "--proxy-from", "192.0.2.1", "--max-connections", "3")
    with Server("--workers", "2", "--unix", str(path), *guarded, *proxied) as server:
        assert server.facts["addresses"][1:] == [f"unix:{path}"]
        with unix_connection(path) as first, unix_connection(path) as second:
            assert exchanged(first)
            assert exchanged(second)
            ended = run_peer(*(each.format(path=path) for each in command), stdin=data)
            assert (ended.returncode, ended.stderr, ended.stdout) == (0, b"", data.upper())
            server.closed("eof")
            with unix_connection(path) as third:
                assert exchanged(third)  # first: two workers can admit a connection each at the same instant
                with unix_connection(path) as refused:
                    assert was_ended(refused, b"x")
        (rejected,) = server.rejected("max_connections")
        assert {rejected["peer"], *(each["peer"] for each in server.closed("eof", 4))} == {"unix"}
        with server.connect() as stranger:
            assert was_ended(stranger, b"x")
        server.rejected("proxy_protocol")
        server.quiet()


def test_accept_queue_overflows() -> None:
    """When more wait than the queue holds nothing hangs: once the worker is back, all are served.

    Connections that did not fit try again on their own, all at once: more than the queue holds would now get SYN
    cookies, and some of them a reset by the kernel.
    """
    messages = [f"who waits: {number}".encode() for number in range(16)]
    with Server("--workers", "1", "--backlog", "8") as server:
        (pid,) = server.worker_pids()
        before = open_descriptors(pid)
        os.kill(pid, signal.SIGSTOP)
        with Crowd(server.address, len(messages)) as crowd:
            until(lambda: crowd.connected() >= 9, "the queue to fill")
            assert crowd.connected() < len(messages)
            os.kill(pid, signal.SIGCONT)
            assert crowd.exchange(messages) == [message.upper() for message in messages]
        assert server.quiet()["stentor_server_connections_accepted_total"] == len(messages)
        until(lambda: open_descriptors(pid) == before, "the descriptors to be closed")


@contextmanager
def unix_connection(path: Path) -> Iterator[socket.socket]:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(str(path))
        yield connection
