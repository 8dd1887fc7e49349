"""`stentor-client probe`, against servers that are well and servers that are not."""

import os
import signal
import socket
import threading

import pytest

import lying
from exposition import balanced, total
from processes import Probe, Server
from waiting import until

OK = 'stentor_client_exchanges_total{outcome="ok"}'
PER_EXCHANGE = (
    "stentor_client_response_time_seconds_count",
    "stentor_client_service_time_seconds_count",
    'stentor_client_phase_duration_seconds_count{phase="first_byte"}',
)
PER_BYTE = ("stentor_client_sent_bytes_total", "stentor_client_received_bytes_total")


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
def test_both_sides_agree(server: Server, connection: str) -> None:
    """After a counted run, both sides have counted the same connections and the same bytes."""
    options = ("--count", "30", "--rate", "200", "--sizes", "1,64,100KiB", "--connection", connection)
    with Probe(server.target, *options) as probe:
        summary = probe.event("probe.summary")
        assert probe.process.wait(20) == 0
    sent = 10 * (1 + 64 + (100 << 10))
    opened = 1 if connection == "persistent" else 30
    assert summary["outcomes"] == {"ok": 30}
    assert (summary["sent_bytes"], summary["received_bytes"]) == (sent, sent)
    assert (summary["connections_opened"], summary["connections_lost"]) == (opened, 0)
    values = server.quiet()
    assert values["stentor_server_received_bytes_total"] == sent
    assert values["stentor_server_sent_bytes_total"] == sent
    assert values["stentor_server_connections_accepted_total"] == opened
    assert values['stentor_server_connections_closed_total{reason="eof"}'] == opened


def test_metrics_of_a_running_probe(server: Server) -> None:
    """A running probe exports what it does: exchanges, times, phases, bytes, and that the target is up."""
    with Probe(server.target, "--rate", "100", "--sizes", "100") as probe:
        values = until(lambda: _between_exchanges(probe, 20), "each of 20 exchanges or more to be in all counts")
        assert values["stentor_client_target_up"] == 1
        assert values["stentor_client_connections_opened_total"] == 1
        assert values["stentor_client_connections_active"] == 1
        assert values['stentor_client_phase_duration_seconds_count{phase="connect"}'] == 1
        started = values['process_start_time_seconds{process="control"}']
        assert values["stentor_client_last_success_timestamp_seconds"] > started
        assert probe.stop() == 0
        assert probe.event("probe.summary")["outcomes"].keys() == {"ok"}


def test_killed_worker_under_probe() -> None:
    """When the worker behind its connection is killed, the probe says what it lost and reconnects; accounts balance."""
    with Server("--workers", "1") as server, Probe(server.target, "--interval", "50ms") as probe:
        until(lambda: _at_least(probe, OK, 3), "exchanges before")
        os.kill(server.worker_pids()[0], signal.SIGKILL)
        lost = probe.event("connection.lost")
        assert lost["outcome"] in {"eof", "reset"}
        good = probe.metrics()[OK]
        values = until(lambda: _at_least(probe, OK, good + 5), "exchanges after")
        assert total(values, "stentor_client_connections_lost_total") == len(probe.find("connection.lost"))
        assert values["stentor_client_connections_opened_total"] == len(probe.find("connection.opened"))
        counted = server.metrics()
        assert balanced(counted)
        assert counted['stentor_server_connections_closed_total{reason="worker_lost"}'] == 1


def test_target_that_comes_back() -> None:
    """While nobody listens, exchanges end as refused; when the server is back, the probe goes on by itself."""
    with Server("--workers", "1", "--drain-timeout", "200ms") as first:
        port = str(first.address[1])
        with Probe(first.target, "--interval", "50ms") as probe:
            until(lambda: _at_least(probe, OK, 3), "exchanges before")
            assert first.stop() == 0
            assert probe.event("exchange.failed", outcome="refused")["detail"].endswith("Connection refused")
            assert probe.metrics()["stentor_client_target_up"] == 0
            good = probe.metrics()[OK]
            with Server("--workers", "1", "--drain-timeout", "200ms", "--port", port):
                until(lambda: _at_least(probe, OK, good + 3), "exchanges after")
                failed = probe.metrics()['stentor_client_exchanges_total{outcome="refused"}']
                assert probe.event("exchange.failed", int(failed), outcome="refused")  # lines come after the count
                assert failed == len(probe.find("exchange.failed", outcome="refused"))


@pytest.mark.parametrize("size", ["1", "20", "27", "64", "1KiB"])
def test_echo_cannot_pass(size: str) -> None:
    """A plain echo is found out by every single message, whatever its size."""
    options = ("--count", "30", "--rate", "500", "--sizes", size)
    with lying.LyingServer(lying.echo) as server, Probe(server.target, *options) as probe:
        assert probe.event("probe.summary")["outcomes"] == {"mismatch": 30}
        assert probe.process.wait(20) == 5


def test_byte_too_much_after_the_last_reply() -> None:
    """A byte that comes unasked when all is said is not overlooked, and is no exchange."""

    def add_later(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536).upper())
        connection.recv(65536)  # the end of the client's side
        connection.sendall(b"!")

    with lying.LyingServer(add_later) as server, Probe(server.target, "--count", "1", "--sizes", "64") as probe:
        lost = probe.event("connection.lost")
        assert (lost["outcome"], lost["actual"]) == ("extra", "!")
        summary = probe.event("probe.summary")
        assert (summary["exchanges"], summary["outcomes"], summary["connections_lost"]) == (1, {"ok": 1}, 1)
        assert probe.find("exchange.failed") == []
        assert probe.process.wait(20) == 5


def test_last_word_between_exchanges() -> None:
    """Nor is what a server says before it ends an idle connection; the exchanges before and after it are good."""
    verified = threading.Event()

    def say_more(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536).upper())
        if not verified.is_set():
            assert verified.wait(20)
            connection.sendall(b"!")
        else:
            connection.recv(65536)  # the end of the client's side

    options = ("--count", "2", "--sizes", "64", "--interval", "5s")
    with lying.LyingServer(say_more) as server, Probe(server.target, *options) as probe:
        probe.event("exchange.completed")
        verified.set()
        lost = probe.event("connection.lost")
        assert (lost["outcome"], lost["actual"]) == ("extra", "!")
        assert probe.event("probe.summary")["outcomes"] == {"ok": 2}
        assert probe.process.wait(20) == 5


def test_quick_end_is_not_overlooked() -> None:
    """A worker that is done before the control process looks is not taken for one that serves."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{bound.getsockname()[1]}"
        for _ in range(3):
            with Probe(target, "--count", "1") as probe:
                assert probe.process.wait(20) == 3


def test_interrupted_probe(server: Server) -> None:
    """Ctrl-C ends a probe with exit code 130, after its summary."""
    with Probe(server.target, "--interval", "50ms") as probe:
        until(lambda: _at_least(probe, OK, 1), "an exchange")
        assert probe.stop(signal.SIGINT) == 130
        assert probe.find("probe.summary")


def _at_least(probe: Probe, name: str, count: float) -> dict[str, float] | None:
    values = probe.metrics()
    return values if values[name] >= count else None


def _between_exchanges(probe: Probe, count: float) -> dict[str, float] | None:
    """Scrape, and do so again where an exchange of 100 bytes was under way: it is in some counts and not in others."""
    values = _at_least(probe, OK, count)
    if values is None or {values[name] for name in PER_EXCHANGE} != {values[OK]}:
        return None
    return values if {values[name] for name in PER_BYTE} == {100 * values[OK]} else None
