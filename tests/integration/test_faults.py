"""Faults that the server injects, as the client, both logs and both sides' metrics tell of them."""

import json
import os
import signal
import socket

import pytest

from exposition import Samples, balanced
from processes import Probe, Server, read_all, run, send_and_end
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


def until_received(server: Server, count: int) -> None:
    """Wait until a server has read so many bytes."""
    until(lambda: server.metrics()["stentor_server_received_bytes_total"] >= count, f"{count} bytes to be read")


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
    timeout = "500ms" if outcome == "timeout" else "10s"
    options = ("--count", "3", "--interval", "20ms", "--timeout", timeout, "--sizes", ",".join(map(str, SIZES)))
    with faulty(fault) as server, Probe(server.target, *options) as probe:
        failed = [probe.event("exchange.failed", number, outcome=outcome) for number in (1, 2, 3)]
        assert probe.event("probe.summary")["outcomes"] == {outcome: 3}
        assert probe.process.wait(20) == code
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
        done = run("stentor-client", "send", "--target", server.target, "hello")
        assert (done.returncode, done.stdout) == (4, b"")
        server.rejected("fault")
        values = server.quiet()
        assert injected(values, "refuse") == 1
        assert values["stentor_server_connections_accepted_total"] == 0


def test_stalled_send() -> None:
    """Who ends its side after what it says is not kept waiting for an answer that never comes."""
    with faulty("stall=1") as server:
        done = run("stentor-client", "send", "--target", server.target, "--timeout", "60s", "hello")
        assert (done.returncode, done.stdout) == (4, b"")
        assert done.stderr.startswith(b"stentor-client: eof: ")
        server.closed("fault")


@pytest.mark.parametrize("fault", ["delay=1:150ms", "drip=1:5ms"])
def test_slow(fault: str) -> None:
    """An answer that is held back, or drips, comes late and is right."""
    with faulty(fault) as server:
        load = ("--target", server.target, "--rate", "10", "--duration", "500ms", "--warmup", "0", "--size", "32")
        done = run("stentor-client", "load", *load, "--json", "-")
        figures = json.loads(done.stdout)
        assert (done.returncode, figures["outcomes"]) == (0, {"ok": 5})
        assert figures["service_time_seconds"]["p50"] > 0.14
        values = server.quiet()
        assert injected(values, fault.partition("=")[0]) == 5
        assert values["stentor_server_sent_bytes_total"] == values["stentor_server_received_bytes_total"] == 5 * 32


def test_drips_byte_by_byte() -> None:
    """What drips comes a byte at a time, so that a client sees how far it came."""
    with faulty("drip=1:1ms") as server, server.connect() as connection:
        connection.sendall(b"drop by drop")
        parts: list[bytes] = []
        while len(b"".join(parts)) < len("drop by drop"):
            parts.append(connection.recv(100))
        assert b"".join(parts) == b"DROP BY DROP"
        assert len(parts) > 3


@pytest.mark.parametrize("fault", ["delay=0.5:5ms", "drip=0.5:1ms"])
def test_order_stays(fault: str) -> None:
    """Answers that are held back now and then come in order, none is lost, and the end comes after the last."""
    with faulty(fault, options=("--fault-seed", "1")) as server, server.connect() as connection:
        data = bytes(range(97, 123)) * 8
        for at in range(0, len(data), 16):
            connection.sendall(data[at : at + 16])
            until_received(server, at + 16)  # so that each piece has an answer of its own
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == data.upper()
        values = server.quiet()
        assert injected(values, fault.partition("=")[0]) > 0
        server.closed("eof")


def test_peer_that_gives_up() -> None:
    """A peer that resets while its answer is held back is noticed at once, and leaves nothing behind."""
    with faulty("delay=1:10m") as server:
        connection = server.connect()
        connection.sendall(b"never")
        until(lambda: server.metrics()["stentor_server_write_buffer_bytes"] == 5, "the answer to be held back")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        server.closed("reset")
        values = server.quiet()
        assert values["stentor_server_unsent_bytes_total"] == 5
        assert values["stentor_server_write_buffer_bytes"] == 0


def test_stop_with_an_answer_held_back() -> None:
    """A stop waits for an answer that is due within its deadline."""
    with faulty("delay=1:300ms") as server, server.connect() as connection:
        connection.sendall(b"in time")
        server.event("fault.injected")
        server.process.send_signal(signal.SIGTERM)
        assert read_all(connection) == b"IN TIME"
        assert server.process.wait(20) == 0


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
    """Bytes that a fault added are accounted for where their worker is killed."""
    with faulty("extra=1") as server, server.connect() as connection:
        connection.sendall(b"one more")
        assert len(connection.recv(100)) == 9
        (pid,) = server.worker_pids()
        os.kill(pid, signal.SIGKILL)
        server.event("worker.exited")
        until(lambda: balanced(server.metrics()), "the account to balance")


def test_over_a_unix_socket(tmp_path: object) -> None:
    """Connections over a Unix socket have them as well."""
    with faulty("corrupt=1", options=("--unix", f"{tmp_path}/s")) as server:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{tmp_path}/s")
            send_and_end(connection, b"hello")
            assert read_all(connection) != b"HELLO"
        assert injected(server.quiet(), "corrupt") == 1


def test_announced() -> None:
    """Log and status say loudly what is injected; without faults neither says a word."""
    with faulty("corrupt=0.01", "delay=0.1:5ms") as server:
        assert server.event("faults.enabled", level="warning")["fault"] == ["corrupt=0.01", "delay=0.1:5ms"]
        assert server.status()["config"]["fault"] == ["corrupt=0.01", "delay=0.1:5ms"]
    with Server("--workers", "1") as server:
        assert server.status()["config"]["fault"] == []
        assert server.find("faults.enabled") == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--fault", "corrupt=1"), "requires --allow-faults"),
        (("--allow-faults", "--fault", "corrupt=2"), "at most 1"),
        (("--allow-faults", "--fault", "stall=0.6", "--fault", "reset=0.6"), "add up to 1.2"),
        (("--allow-faults", "--fault", "corrupt=1", "--tls-cert", __file__), "remove --tls-cert"),
    ],
)
def test_refused(options: tuple[str, ...], why: str) -> None:
    """Nobody gets faults by accident, and what makes no sense is refused in one line."""
    done = run("stentor-server", "serve", "--port", "0", "--admin-port", "0", *options)
    (line,) = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"")
    assert why in line
    assert "'--fault' (env var: 'STENTOR_FAULT')" in line


def test_variable_without_permission() -> None:
    """A variable that was left set somewhere starts no faulty server."""
    done = run(
        "stentor-server",
        "serve",
        "--port",
        "0",
        "--admin-port",
        "0",
        env={"STENTOR_FAULT": "reset=0.5,corrupt=0.5 refuse=1"},
    )
    assert done.returncode == 2
    assert b"--allow-faults" in done.stderr
