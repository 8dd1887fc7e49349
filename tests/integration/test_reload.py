"""A reload loses no connection: workers that leave serve their connections, beside their successors."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from connections import exchanged
from exposition import Samples, balanced, scrape, total
from processes import Server
from waiting import until

RELOADED = 'stentor_server_worker_restarts_total{reason="reload"}'
DRAINED = 'stentor_server_connections_closed_total{reason="drain"}'
ENDED = 'stentor_server_connections_closed_total{reason="eof"}'


def _reload(server: Server) -> list[int]:
    """Reload; return the process ids of the workers that retired with it when their successors serve."""
    before = server.worker_pids()
    server.process.send_signal(signal.SIGHUP)

    def reloaded() -> bool:
        states = [each["state"] for each in server.status()["workers"]]
        if not balanced(server.metrics()) or max(states.count("ready"), states.count("retired")) > len(before):
            pytest.fail(f"amid a reload: {states}, {server.metrics()}")  # until() would ask an assertion again
        return {event["pid"] for event in server.find("worker.retired")} >= set(before)

    until(reloaded, "the reload")
    assert not set(server.worker_pids()) & set(before)
    return before


def _retired(server: Server, connection: socket.socket) -> int:
    """Reload while this is the one connection; return the process id of the retired worker that serves it."""
    assert exchanged(connection)
    _reload(server)
    assert exchanged(connection)
    (pid,) = until(lambda: server.worker_pids("retired"), "the retired worker")
    return pid


def _accounts(server: Server, condition: Callable[[Samples], bool], description: str) -> Samples:
    """Wait for what the server exports; its accounts must agree all the while."""

    def agreed_and_met() -> Samples | None:
        values = server.metrics()
        if not balanced(values):
            pytest.fail(f"accounts do not agree: {values}")
        return values if condition(values) else None

    return until(agreed_and_met, description)


def test_open_connections_survive(server: Server) -> None:
    """A reload leaves open connections alone: they exchange on, beside new ones, for as long as they like."""
    with contextlib.ExitStack() as open_ones:
        connections = [open_ones.enter_context(server.connect()) for _ in range(12)]
        assert all(exchanged(connection) for connection in connections)
        before = _reload(server)
        started = time.monotonic()
        while time.monotonic() < started + 0.5:  # a drain would have ended quiet connections meanwhile
            assert exchanged(connections[0])
        assert all(exchanged(connection) for connection in connections)
        assert server.ask(b"new") == b"NEW"
        values = _accounts(server, lambda values: values[ENDED] == 1, "the new one to end")
        assert values["stentor_server_connections_active"] == 12
        assert total(values, "stentor_server_worker_connections_active") == 12
        assert (values["stentor_server_workers"], values[RELOADED]) == (2, 2)
        retired = server.worker_pids("retired")  # the one without connections may be gone
        assert 1 <= len(retired) <= 2
        assert {*retired} <= {*before}
    for pid in before:
        assert server.event("worker.exited", pid=pid)["code"] == 0
    values = _accounts(server, lambda values: values[ENDED] == 13, "all to have ended")
    assert (values[RELOADED], values[DRAINED], values["stentor_server_connections_active"]) == (2, 0, 0)
    assert server.stop() == 0


def test_second_reload_ends_the_oldest() -> None:
    """A further reload gives connections of the oldest workers an orderly end, and spares the others."""
    with Server("--workers", "1") as server, server.connect() as first:
        oldest = _retired(server, first)
        with server.connect() as second:
            assert exchanged(second)
            (older,) = _reload(server)
            assert first.recv(9) == b""
            assert server.event("worker.exited")["pid"] == oldest
            assert exchanged(second)
            assert server.ask(b"third") == b"THIRD"
            assert server.worker_pids("retired") == [older]
            values = _accounts(server, lambda values: values[ENDED] == 1, "the newest to end")
            assert (values[DRAINED], values["stentor_server_connections_active"], values[RELOADED]) == (1, 1, 2)


def test_reload_under_load_fails_nothing(server: Server) -> None:
    """While workers are replaced over and over, no exchange on a fresh connection fails, and the accounts agree."""
    failures, stop = [], threading.Event()
    exchanges = [0, 0]

    def exchange(client: int) -> None:
        while not stop.is_set():
            try:
                if server.ask(b"reload") != b"RELOAD":
                    failures.append("wrong")
            except OSError as error:
                failures.append(repr(error))
            exchanges[client] += 1

    clients = [threading.Thread(target=exchange, args=(client,)) for client in range(len(exchanges))]
    for client in clients:
        client.start()
    try:
        for reloads in range(1, 4):
            server.process.send_signal(signal.SIGHUP)
            while len(server.find("worker.retired")) < 2 * reloads:
                values = scrape(server.admin)
                closed = total(values, "stentor_server_connections_closed_total")
                active = total(values, "stentor_server_worker_connections_active")
                assert values["stentor_server_connections_accepted_total"] == closed + active
    finally:
        stop.set()
        for client in clients:
            client.join()
    assert failures == []
    server.event("worker.exited", 6)
    values = _accounts(server, lambda values: values[ENDED] == sum(exchanges) > 0, "all to have ended")
    assert (values[RELOADED], values["stentor_server_connections_accepted_total"]) == (6, sum(exchanges))
