"""Faults that the server injects, as the client, both logs and both sides' metrics report them."""

import os
import signal

import pytest

from connections import read_all
from exposition import Samples, balanced
from processes import ENVIRONMENT, FREE, Probe, Server, loaded, run
from waiting import until

SIZES = (64, 1024, 4096)  # each is read in one go, and has one answer
WHOLE = sum(SIZES)


def faulty(*faults: str, options: tuple[str, ...] = ()) -> Server:
    """Return a server that does all of these."""
    asked = [part for fault in faults for part in ("--fault", fault)]
    return Server("--workers", "1", "--allow-faults", "--log-level", "debug", *asked, *options)


def injected(values: Samples, fault: str) -> float:
    """Return how often a fault happened."""
    return values[f'stentor_server_faults_injected_total{{fault="{fault}"}}']


@pytest.mark.parametrize(
    ("fault", "outcome", "offsets", "code", "sent"),
    [
        ("truncate=1", "short", {32, 512, 2048}, 5, WHOLE // 2),
        ("corrupt=1", "mismatch", None, 5, WHOLE),
        ("extra=1", "extra", set(SIZES), 5, WHOLE + 3),
        ("reset=1", "reset", {0}, 4, 0),
        ("early_fin=1", "eof", {0}, 4, 0),
        ("stall=1", "timeout", {0}, 4, 0),
    ],
    ids=lambda value: value.partition("=")[0] if isinstance(value, str) else "",
)
def test_fault_of_an_answer(fault: str, outcome: str, offsets: set[int] | None, code: int, sent: int) -> None:
    """Each has its outcome in the client; both sides count it, and neither loses a byte from its account."""
    name = fault.partition("=")[0]
    timeout = "500ms" if outcome == "timeout" else "1m"
    options = ("--count", "3", "--interval", "20ms", "--timeout", timeout, "--sizes", ",".join(map(str, SIZES)))
    with faulty(fault) as server, Probe(server.target, *options) as probe:
        failed = [probe.event("exchange.failed", number, outcome=outcome) for number in (1, 2, 3)]
        assert probe.event("probe.summary")["outcomes"] == {outcome: 3}
        assert probe.end() == code
        if offsets is not None:
            assert {each["offset"] for each in failed} == offsets
        values = server.quiet()
        assert injected(values, name) == 3
        assert [server.event("fault.injected", number)["fault"] for number in (1, 2, 3)] == [name] * 3
        assert values["stentor_server_received_bytes_total"] == WHOLE
        assert values["stentor_server_sent_bytes_total"] == sent
        assert values["stentor_server_unsent_bytes_total"] == max(0, WHOLE - sent)
        unaware = name in {"corrupt", "extra"}  # the connection, of its fault: it ends like any other
        ends = [server.event("connection.closed", each) for each in (1, 2, 3)] if unaware else server.closed("fault", 3)
        assert sum(each["sent_bytes"] for each in ends) == sent


def test_refuse() -> None:
    """A connection that is refused is reset before anything is read, and is not among the accepted."""
    with faulty("refuse=1") as server:
        ended = run("stentor-client", "send", "--target", server.target, "hello")
        assert (ended.returncode, ended.stdout) == (4, b"")
        server.rejected("fault")
        values = server.quiet()
        assert injected(values, "refuse") == 1
        assert values["stentor_server_connections_accepted_total"] == 0


@pytest.mark.parametrize("fault", ["delay=1:150ms", "drip=1:5ms"])
def test_slow(fault: str) -> None:
    """An answer that is held back, or drips, arrives late and is right."""
    with faulty(fault) as server:
        code, figures, _ = loaded(server.target, "--rate", "10", "--size", "32")
        assert (code, figures["outcomes"]) == (0, {"ok": 5})
        assert figures["service_time_seconds"]["p50"] > 0.14
        values = server.quiet()
        assert injected(values, fault.partition("=")[0]) == 5
        assert values["stentor_server_sent_bytes_total"] == values["stentor_server_received_bytes_total"] == 5 * 32


def test_stop_with_an_answer_held_back() -> None:
    """A stop waits for an answer that is due within its deadline."""
    with faulty("delay=1:300ms", options=("--drain-timeout", "1m")) as server, server.connect() as connection:
        connection.sendall(b"in time")
        server.event("fault.injected")
        server.process.send_signal(signal.SIGTERM)
        assert read_all(connection) == b"IN TIME"
        connection.close()
        assert server.end() == 0


def test_some_of_the_answers() -> None:
    """With a seed, the same answers fail in each run; the others are right, and so are the accounts."""

    def outcomes() -> list[bool]:
        with faulty("corrupt=0.5", options=("--fault-seed", "7")) as server:
            found = [server.ask(b"the same") == b"THE SAME" for _ in range(20)]
            assert injected(server.quiet(), "corrupt") == found.count(False)
        return found

    first = outcomes()
    assert first == outcomes()
    assert 0 < sum(first) < 20


def test_killed_worker_balances() -> None:
    """Bytes that a fault added stay in the accounts when their worker is killed."""
    with faulty("extra=1") as server, server.connect() as connection:
        connection.sendall(b"one more")
        assert len(connection.recv(100)) == 9
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGKILL)
        server.event("worker.exited")
        until(lambda: balanced(server.metrics()), "the account to balance")


def test_announced() -> None:
    """Log and status say loudly what is injected."""
    with faulty("corrupt=0.01", "delay=0.1:5ms") as server:
        assert server.event("faults.enabled", level="warning")["fault"] == ["corrupt=0.01", "delay=0.1:5ms"]
        assert server.status()["config"]["fault"] == ["corrupt=0.01", "delay=0.1:5ms"]


@pytest.mark.parametrize(
    ("options", "variable"),
    [((), "reset=0.5,corrupt=0.5 refuse=1"), (("--allow-faults", "--tls-cert", __file__), "corrupt=1")],
    ids=["without permission", "over TLS"],
)
def test_refused(options: tuple[str, ...], variable: str) -> None:
    """A variable that was left set somewhere starts no faulty server, and one that could have no effect none at all."""
    ended = run("stentor-server", "serve", *FREE, *options, env=ENVIRONMENT | {"STENTOR_FAULT": variable})
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1)
    assert b"STENTOR_FAULT" in ended.stderr
