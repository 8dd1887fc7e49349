"""Crowds: of peers that never read, that all come at once, that all go at once."""

import resource
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from bench.process import anonymous_bytes, open_descriptors
from certificates import Authority
from connections import Crowd
from exposition import balanced
from processes import Probe, Server
from waiting import until

CHUNK = 256 << 10  # what a connection may hold for a peer that does not read
# Beside its chunk a connection has a few objects; beside its connections a worker has some tables that have grown.
OBJECTS, TABLES = 4 << 10, 2 << 20
# Thousands of small objects at once leave gaps in the heap, of up to 8 MiB, which later storms fill and do not enlarge.
FRAGMENTS = 16 << 20
SMALL = 4096  # bytes of a peer's socket buffers
OK = 'stentor_client_exchanges_total{outcome="ok"}'


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """Let the test have as many connections as the server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def left_as_it_was(server: Server, tables: int = TABLES) -> Iterator[dict[int, int]]:
    """Yield how much memory each worker has; afterwards they must have no descriptor, and hardly any memory, more.

    Chunks lie together at the end of the heap, which is what an allocator gives back; what stays are tables, which keep
    the size that they once needed. For a while something small and new may sit behind the chunks, such as the last
    block of the log's queue: some callers who come and go get it replaced.
    """
    pids = server.worker_pids()
    files = {pid: open_descriptors(pid) for pid in pids}
    memory = {pid: anonymous_bytes(pid) for pid in pids}
    yield memory
    server.quiet()
    until(lambda: {pid: open_descriptors(pid) for pid in pids} == files, "the descriptors to be closed")

    def given_back() -> bool:
        for _ in range(64):
            server.connect().close()
        kept = {pid: anonymous_bytes(pid) - memory[pid] for pid in pids}
        assert max(kept.values()) < tables, kept
        return True

    until(given_back, "the memory to be given back")
    assert server.worker_pids() == pids
    assert [event for event in server.events if event["level"] == "error"] == []


def test_peers_that_never_read() -> None:
    """A thousand that write and never read take 256 KiB each and no more, and nobody else notices."""
    with (
        Server("--workers", "2") as server,
        left_as_it_was(server) as memory,
        Probe(server.target, "--interval", "10ms", "--sizes", "64,1KiB,64KiB") as probe,
    ):
        with Crowd(server.address, 1000, buffer_bytes=SMALL) as deaf:
            fill(server, deaf)
            probe.reaches(OK, probe.metrics()[OK] + 50)  # others are served
            values = server.metrics()
            assert 0 < values["stentor_server_write_buffer_bytes"] <= 1000 * CHUNK
            for number, pid in enumerate(server.worker_pids()):
                connections = values[f'stentor_server_worker_connections_active{{worker="{number}"}}']
                assert connections > 0
                assert anonymous_bytes(pid) - memory[pid] < connections * (CHUNK + OBJECTS) + TABLES
        server.closed("reset", 1000)
        assert probe.stop() == 0
        assert probe.find("exchange.failed") == []
        assert probe.find("connection.lost") == []


def test_peers_that_never_read_over_tls(authority: Authority) -> None:
    """Encrypted it is the same: what waits is bounded, for each connection and in all."""
    context, count = authority.trust(), 50
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server, left_as_it_was(server) as memory:
        (pid,) = memory
        with ExitStack() as connections:
            deaf = [connections.enter_context(server.secured(context)) for _ in range(count)]
            connected = anonymous_bytes(pid)
            for connection in deaf:
                connection.setblocking(False)

            def full() -> bool:
                more = sum(_took_more(connection) for connection in deaf)
                return not more and server.metrics()["stentor_server_read_pauses_total"] >= count

            until(full, "the server to wait for all")
            assert 0 < server.metrics()["stentor_server_write_buffer_bytes"] <= count * CHUNK
            assert anonymous_bytes(pid) - connected < count * CHUNK  # with OpenSSL's buffers of both directions
            assert balanced(server.metrics())


def test_idle_over_tls_after_much(authority: Authority) -> None:
    """What a connection over TLS keeps for its life after a large exchange is much less than a chunk."""
    context, count = authority.trust(), 50
    with Server("--workers", "1", "--tls-cert", authority.issue("server")) as server:
        (pid,) = server.worker_pids()
        before = anonymous_bytes(pid)
        with ExitStack() as connections:
            for _ in range(count):
                connection = server.secured(context)
                _exchange_much(connections.enter_context(connection))
            assert anonymous_bytes(pid) - before < count * CHUNK / 2


def test_storm_of_connects() -> None:
    """Five thousand that come at once are all let in, soon, and all served."""
    messages = [f"one of many: {number}".encode() for number in range(5000)]
    with Server("--workers", "2") as server, left_as_it_was(server, FRAGMENTS):
        with Crowd(server.address, len(messages)) as crowd:
            until(lambda: crowd.connected() >= 0.99 * len(messages), "99 of 100 to be connected")
            assert crowd.exchange(messages) == [message.upper() for message in messages]
        values = server.quiet()
        assert values["stentor_server_connections_accepted_total"] == len(messages)
        assert values["stentor_server_received_bytes_total"] == sum(len(message) for message in messages)
        server.closed("eof", len(messages))


def fill(server: Server, crowd: Crowd) -> None:
    """Write until the server waits for every reader, and takes nothing more."""
    pauses, least = "stentor_server_read_pauses_total", len(crowd.callers)
    until(lambda: crowd.write() == 0 and server.metrics()[pauses] >= least, "the server to wait for all")


def _took_more(connection: ssl.SSLSocket) -> bool:
    try:
        return connection.send(bytes(64 << 10)) > 0
    except ssl.SSLWantWriteError:
        return False


def _exchange_much(connection: ssl.SSLSocket) -> None:
    """Send and read in turn, in one thread: two must not use an `SSLSocket` at once."""
    connection.setblocking(False)
    unsent, unheard = memoryview(bytes(2 << 20)), 2 << 20
    while unheard:
        with suppress(ssl.SSLWantWriteError):
            unsent = unsent[connection.send(unsent) if unsent else 0 :]
        with suppress(ssl.SSLWantReadError):
            unheard -= len(connection.recv(64 << 10))
