"""`stentor-client probe`, against servers that are well and servers that are not."""

import os
import signal
import socket
import threading

import pytest

import lying
from certificates import Authority
from exposition import balanced, total
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


def test_killed_worker_under_probe() -> None:
    """When the worker behind its connection is killed, the probe logs the loss and reconnects; accounts balance."""
    with Server("--workers", "1") as server, Probe(server.target, "--interval", "50ms") as probe:
        probe.reaches(OK, 3)
        os.kill(server.worker_pids()[0], signal.SIGKILL)
        lost = probe.event("connection.lost")
        assert lost["outcome"] in {"eof", "reset"}
        probe.reaches(OK, probe.metrics()[OK] + 5)
        assert probe.stop() == 0  # so that nothing changes any more
        summary = probe.event("probe.summary")
        assert summary["connections_lost"] == len(probe.find("connection.lost"))
        assert summary["connections_opened"] == len(probe.find("connection.opened"))
        values = server.quiet()
        assert balanced(values)
        assert values['stentor_server_connections_closed_total{reason="worker_lost"}'] == 1


def test_target_that_returns() -> None:
    """While nobody listens, exchanges end as refused; when the server is back, the probe goes on by itself."""
    with Server("--workers", "1", "--drain-timeout", "200ms") as first:
        port = str(first.address[1])
        with Probe(first.target, "--interval", "50ms") as probe:
            probe.reaches(OK, 3)
            assert first.stop() == 0
            probe.event("exchange.failed", outcome="refused")
            assert probe.metrics()["stentor_client_target_up"] == 0
            with Server("--workers", "1", "--port", port):
                probe.reaches(OK, probe.metrics()[OK] + 3)
                failed = probe.metrics()['stentor_client_exchanges_total{outcome="refused"}']
                probe.event("exchange.failed", int(failed), outcome="refused")  # lines are written after the count
                assert failed == len(probe.find("exchange.failed", outcome="refused"))


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    ("behaviour", "connection", "outcomes", "offset", "phase", "code"),
    [
        ("flip", "mixed", {"mismatch": 2}, 4, "reply", 5),
        ("repeat_the_first", "persistent", {"ok": 2, "mismatch": 1}, 25, "reply", 5),
        ("close_early", "mixed", {"eof": 2}, 0, "first_byte", 4),
        ("stall", "mixed", {"timeout": 2}, 32, "reply", 4),
    ],
)
def test_every_lie_has_its_outcome(
    authority: Authority,
    behaviour: str,
    connection: str,
    outcomes: dict[str, int],
    offset: int,
    phase: str,
    code: int,
    *,
    encrypted: bool,
) -> None:
    """Each lie has its own outcome, offset and phase in log and metrics, and decides the exit code."""
    outcome = next(name for name in outcomes if name != "ok")
    tls = authority.serve(authority.issue("server")) if encrypted else None
    trust = ("--tls", "--tls-ca", authority.file) if encrypted else ()
    timeout = "2s" if outcome == "timeout" else "1m"
    options = ("--count", str(sum(outcomes.values())), "--interval", "1s", "--sizes", "64", "--timeout", timeout)
    with (
        lying.LyingServer(getattr(lying, behaviour), tls) as server,
        Probe(server.target, *options, "--connection", connection, *trust) as probe,
    ):
        failed = probe.event("exchange.failed")
        values = probe.metrics()
        assert (failed["outcome"], failed["offset"], failed["phase"]) == (outcome, offset, phase)
        assert values[f'stentor_client_exchanges_total{{outcome="{outcome}"}}'] >= 1
        assert values[f'stentor_client_connections_lost_total{{outcome="{outcome}"}}'] >= 1
        assert total(values, "stentor_client_exchanges_total") > 0
        assert values["stentor_client_target_up"] == 0
        assert probe.event("connection.lost", outcomes[outcome])["outcome"] == outcome
        assert probe.event("probe.summary")["outcomes"] == outcomes
        assert len(probe.find("exchange.failed")) == outcomes[outcome]
        assert probe.end() == code


@pytest.mark.parametrize("size", ["1", "27", "1KiB"])
def test_echo_cannot_pass(size: str) -> None:
    """A plain echo is found out by every single message, whatever its size."""
    options = ("--count", "30", "--rate", "500", "--sizes", size)
    with lying.LyingServer(lying.echo) as server, Probe(server.target, *options) as probe:
        assert probe.event("probe.summary")["outcomes"] == {"mismatch": 30}
        assert probe.end() == 5


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
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with Probe(f"127.0.0.1:{bound.getsockname()[1]}", "--count", "1") as probe:
            assert probe.end() == 3
