"""Who is let in, from where, and how many."""

import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from certificates import Authority
from crowd import Crowd
from exposition import balanced
from peers import run_peer
from processes import Server
from procfs import descriptors
from waiting import until


@pytest.mark.parametrize(
    ("allowed", "let_in"), [("127.0.0.0/8", {"127.0.0.1", "127.0.0.2"}), ("127.0.0.2", {"127.0.0.2"}), ("::1", {"::1"})]
)
def test_allow(allowed: str, let_in: set[str]) -> None:
    """Only who is in an allowed network is served, over IPv4 and IPv6 alike; the admin endpoint answers (row 17)."""
    sources = {"127.0.0.1", "127.0.0.2", "::1"}
    options = ("--workers", "1", "--host", "127.0.0.1,::1", "--allow", allowed, "--allow", "192.0.2.0/24")
    with Server(*options) as server:
        for source in sources:
            with socket.create_connection(address_of(server, source), 30, source_address=(source, 0)) as connection:
                assert is_served(connection) == (source in let_in)
        rejected = server.rejected("not_allowed", len(sources - let_in))
        assert {each["peer"].rpartition(":")[0].strip("[]") for each in rejected} == sources - let_in
        server.closed("eof", len(let_in))
        assert server.quiet()["stentor_server_connections_accepted_total"] == len(let_in)
        assert server.get("/readyz") == (200, "ready\n")


@pytest.mark.parametrize(("hosts", "families"), [("127.0.0.1", "4"), ("::1", "6"), ("127.0.0.1,::1", "46")])
def test_addresses(hosts: str, families: str) -> None:
    """It listens where it is told to, on one port, and nowhere else."""
    with Server("--workers", "2", "--host", hosts) as server:
        port = server.address[1]
        expected = {"4": f"127.0.0.1:{port}", "6": f"[::1]:{port}"}
        assert server.facts["addresses"] == [expected[family] for family in families]
        for family, host in (("4", "127.0.0.1"), ("6", "::1")):
            if family in families:
                with socket.create_connection((host, port), 30) as connection:
                    peer = expected[family].replace(str(port), str(connection.getsockname()[1]))
                    assert is_served(connection)
                server.event("connection.closed", peer=peer)
            else:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection((host, port), 30)
        server.quiet()


def test_default_limit() -> None:
    """By default as many may come as there are descriptors for in all workers, less some to spare (rows 17, 18)."""
    with Server("--workers", "1", descriptors=130) as server:
        assert server.status()["config"]["max_connections"] == 30
        with ExitStack() as connections:
            for _ in range(30):
                assert is_served(connections.enter_context(server.connect()))
            with server.connect() as refused:
                assert not is_served(refused)
            server.rejected("max_connections")
            assert server.find("listener.paused") == []
            assert server.get("/readyz") == (200, "ready\n")
        assert server.quiet()["stentor_server_connections_accepted_total"] == 30
        with server.connect() as connection:
            assert is_served(connection)
    with Server("--workers", "3", descriptors=130) as server:
        assert server.status()["config"]["max_connections"] == 90


def test_limit_per_address() -> None:
    """The limit for one address holds exactly over all workers, and for each address by itself (row 17)."""
    with Server("--workers", "4", "--max-connections-per-address", "16") as server, ExitStack() as connections:
        first = [connections.enter_context(server.connect()) for _ in range(16)]
        assert [is_served(connection) for connection in first] == [True] * 16
        values = server.metrics()
        spread = [values[f'stentor_server_worker_connections_active{{worker="{each}"}}'] for each in range(4)]
        assert max(spread) < 16  # so that it is the sum of several that is compared
        for count in range(1, 11):
            with server.connect() as refused:
                assert not is_served(refused)
            assert server.rejected("per_address", count)[-1]["peer"].startswith("127.0.0.1:")
        second = [connections.enter_context(server.connect(source="127.0.0.2")) for _ in range(8)]
        assert [is_served(connection) for connection in second] == [True] * 8
        for each in first[:3]:
            each.close()
        until(lambda: server.metrics()["stentor_server_connections_active"] == 21, "three places to be free")
        for _ in range(3):
            assert is_served(connections.enter_context(server.connect()))
        with server.connect() as refused:
            assert not is_served(refused)
        assert server.rejected("per_address", 11)


def test_limit_per_address_after_a_worker_was_killed() -> None:
    """Whom a killed worker had counts no more, so that exactly as many may come again (rows 17, 21)."""
    with Server("--workers", "2", "--max-connections-per-address", "40") as server, ExitStack() as connections:
        for _ in range(40):  # of which the kernel gives each worker some, but once in 2 ** 39 times
            assert is_served(connections.enter_context(server.connect()))
        lost = int(server.metrics()['stentor_server_worker_connections_active{worker="0"}'])
        assert 0 < lost < 40
        os.kill(server.worker_pids()[0], signal.SIGKILL)
        server.event("worker.started", 2, worker=0)
        assert server.metrics()['stentor_server_connections_closed_total{reason="worker_lost"}'] == lost
        for _ in range(lost):
            assert is_served(connections.enter_context(server.connect()))
        with server.connect() as refused:
            assert not is_served(refused)
        server.rejected("per_address")
        assert balanced(server.metrics())


def test_limit_per_address_after_a_leaving_worker_was_killed() -> None:
    """So does one that is killed while it leaves after a reload, whose place nobody takes (rows 17, 21)."""
    options = ("--workers", "1", "--max-connections-per-address", "1", "--drain-timeout", "1m")
    with Server(*options) as server:
        (pid,) = server.worker_pids()
        with Crowd(server.address, 1) as deaf:  # for which a drain waits
            deaf.write_until_nothing_is_taken()
            server.process.send_signal(signal.SIGHUP)
            server.event("worker.started", 2)
            with server.connect() as refused:
                assert not is_served(refused)
            server.rejected("per_address")
            os.kill(pid, signal.SIGKILL)
            server.event("worker.exited", pid=pid)
            assert server.metrics()['stentor_server_connections_closed_total{reason="worker_lost"}'] == 1
            with server.connect() as connection:
                assert is_served(connection)
        server.quiet()


@pytest.mark.parametrize(
    "command",
    [("socat", "-t", "20", "-", "UNIX-CONNECT:{path}"), ("nc", "-N", "-U", "{path}")],
    ids=lambda command: command[0],
)
def test_unix_socket(tmp_path: Path, authority: Authority, command: tuple[str, ...]) -> None:
    """On the Unix socket everybody is served in plain text, whatever holds for the network."""
    path, data = tmp_path / "stentor.sock", os.urandom(1 << 20)
    guarded = ("--tls-cert", authority.issue("server"), "--allow", "192.0.2.1", "--max-connections-per-address", "1")
    proxied = ("--proxy-protocol", "any", "--proxy-from", "192.0.2.1")
    with Server("--workers", "2", "--unix", str(path), *guarded, *proxied) as server:
        assert server.facts["addresses"][1:] == [f"unix:{path}"]
        with unix_connection(path) as first, unix_connection(path) as second:
            assert is_served(first)
            assert is_served(second)
            talked = run_peer(*(each.format(path=path) for each in command), stdin=data)
        assert (talked.returncode, talked.stderr) == (0, b"")
        assert talked.stdout == data.upper()
        assert {each["peer"] for each in server.closed("eof", 3)} == {"unix"}
        with server.connect() as stranger:
            assert not is_served(stranger)
        server.rejected("proxy_protocol")
        server.quiet()


def test_limit_of_connections_holds_for_the_unix_socket(tmp_path: Path) -> None:
    """All connections count for `--max-connections` (row 17)."""
    path = tmp_path / "stentor.sock"
    with Server("--workers", "1", "--unix", str(path), "--max-connections", "2") as server:
        with unix_connection(path) as first, server.connect() as second:
            assert is_served(first)
            assert is_served(second)
            with unix_connection(path) as refused:
                assert not is_served(refused)
        (rejected,) = server.rejected("max_connections")
        assert rejected["peer"] == "unix"
        server.quiet()


def test_accept_queue_overflows() -> None:
    """When more wait than the queue holds nothing hangs: once the worker is back, all are served (row 19).

    Those who did not fit call again by themselves, all at once: more than the queue holds would now get SYN cookies,
    and some of them a reset by the kernel.
    """
    messages = [f"who waits: {number}".encode() for number in range(16)]
    with Server("--workers", "1", "--backlog", "8") as server:
        (pid,) = server.worker_pids()
        before = descriptors(pid)
        os.kill(pid, signal.SIGSTOP)
        with Crowd(server.address, len(messages)) as crowd:
            until(lambda: len(crowd.connected()) >= 9, "the queue to fill")
            assert len(crowd.connected()) < len(messages)
            os.kill(pid, signal.SIGCONT)
            assert crowd.exchange(messages) == [message.upper() for message in messages]
        assert server.quiet()["stentor_server_connections_accepted_total"] == len(messages)
        assert server.find("worker.hung") == []
        assert descriptors(pid) == before


def test_descriptors_run_out() -> None:
    """Without descriptors who is connected is served on, who comes waits for some, and is served then (row 18)."""
    with Server("--workers", "1") as server:
        (pid,) = server.worker_pids()
        before = descriptors(pid)
        with ExitStack() as connections:
            inside = [connections.enter_context(server.connect()) for _ in range(3)]
            assert [is_served(connection) for connection in inside] == [True] * 3
            _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (descriptors(pid) + 1, hard))
            waiting = [connections.enter_context(server.connect()) for _ in range(5)]
            for connection in waiting:
                connection.sendall(b"x")
            paused = server.event("listener.paused", 3)  # and it tries again and again, without spinning
            assert paused["message"] == "Too many open files"
            assert [is_served(connection) for connection in inside] == [True] * 3
            values = server.metrics()
            assert values["stentor_server_connections_active"] == 4
            assert balanced(values)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            assert [connection.recv(1) for connection in waiting] == [b"X"] * 5
        assert server.quiet()["stentor_server_connections_accepted_total"] == 8
        assert len(server.find("listener.paused")) < 100
        assert descriptors(pid) == before
        assert server.worker_pids() == [pid]


def address_of(server: Server, like: str) -> tuple[str, int]:
    """Return the server's address in the family of another."""
    return ("::1" if ":" in like else "127.0.0.1", server.address[1])


def is_served(connection: socket.socket) -> bool:
    """Return whether an exchange works; otherwise the server must have ended the connection."""
    try:
        connection.sendall(b"x")
        return connection.recv(1) == b"X"
    except (ConnectionResetError, BrokenPipeError):
        return False


@contextmanager
def unix_connection(path: Path) -> Iterator[socket.socket]:
    """Connect to a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        yield connection
