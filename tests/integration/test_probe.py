"""`stentor-client probe`, against servers that are well and servers that are not."""

import signal
import socket
import threading

import pytest

import lying
from connections import reserved
from processes import Probe, Server
from waiting import SECONDS, until

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
        assert probe.end() == 0
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
    """A running probe exports exchanges, times, phases, bytes, and that the target is up; Ctrl-C ends it with 130."""
    with Probe(server.target, "--interval", "100ms", "--sizes", "100") as probe:

        def between_exchanges() -> dict[str, float] | None:
            """Scrape; an exchange that is under way is in some counts and not in others."""
            values = probe.metrics()
            exchanges = {values[name] for name in PER_EXCHANGE} == {values[OK]}
            nbytes = {values[name] for name in PER_BYTE} == {100 * values[OK]}
            looked = values["stentor_client_tcp_rtt_seconds"] > 0  # at the kernel, which is done now and then
            return values if values[OK] >= 10 and exchanges and nbytes and looked else None

        values = until(between_exchanges, "each of 10 exchanges or more to be in all counts")
        assert values["stentor_client_target_up"] == 1
        assert values["stentor_client_connections_opened_total"] == 1
        assert values["stentor_client_connections_active"] == 1
        assert values['stentor_client_phase_duration_seconds_count{phase="connect"}'] == 1
        started = values['process_start_time_seconds{process="control"}']
        assert values["stentor_client_last_success_timestamp_seconds"] > started
        assert values["stentor_client_tcp_retransmits_total"] == 0
        assert probe.stop(signal.SIGINT) == 130
        assert probe.event("probe.summary")["outcomes"].keys() == {"ok"}


def test_last_word_between_exchanges() -> None:
    """What a server says unasked is not overlooked, and is no exchange; those before and after it are good."""
    verified = threading.Event()

    def say_more(connection: socket.socket) -> None:
        connection.sendall(connection.recv(65536).upper())
        if not verified.is_set():
            assert verified.wait(SECONDS)
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
        assert probe.end() == 5


def test_quick_end_is_not_overlooked() -> None:
    """A worker that is done before the control process looks is not mistaken for one that serves."""
    with reserved() as bound, Probe(f"127.0.0.1:{bound.getsockname()[1]}", "--count", "1") as probe:
        assert probe.end() == 3
