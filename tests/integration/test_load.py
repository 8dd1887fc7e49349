"""`stentor-client load` against the real server, and against others."""

import math
import os
import signal
import time
from pathlib import Path

import pytest

import lying
from bench.contender import contenders
from loads import Load, loaded
from lying import Behaviour, LyingServer
from processes import Server, run
from waiting import until

SHORT = ("--duration", "500ms", "--warmup", "0")


@pytest.mark.parametrize("shape", [("--rate", "500"), ("--rate", "500", "--poisson"), ("--closed",)], ids="".join)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_exchange_is_counted(server: Server, shape: tuple[str, ...], workers: str) -> None:
    """What the load says it sent is what the server received, to the byte, whoever many workers sent it."""
    load = loaded(server.target, *shape, *SHORT, "--workers", workers, "--size", "64,1000", "--connections", "4")
    figures = load.figures
    assert (load.process.returncode, figures["outcomes"].keys()) == (0, {"ok"})
    assert figures["exchanges"] == figures["due"] == figures["response_time_seconds"]["count"] > 0
    values = server.quiet()
    assert values["stentor_server_received_bytes_total"] == values["stentor_server_sent_bytes_total"]
    assert values["stentor_server_received_bytes_total"] == figures["sent_bytes"] == figures["received_bytes"]
    # One connection more shows that the target is there before the load begins.
    assert values["stentor_server_connections_accepted_total"] == 4 + 1
    if "--poisson" not in shape and "--closed" not in shape:
        assert figures["exchanges"] == 250


def test_fresh_connections(server: Server) -> None:
    """With a connection for each exchange, the server accepts as many, and the way's phases are told."""
    load = loaded(server.target, *SHORT, "--rate", "200", "--connection", "fresh")
    assert load.figures["outcomes"] == {"ok": 100}
    assert load.figures["connections_opened"] == 100
    assert load.figures["phase_seconds"].keys() == {"resolve", "connect", "first_byte"}
    assert load.figures["phase_seconds"]["connect"]["count"] == 100
    assert server.quiet()["stentor_server_connections_accepted_total"] == 100 + 1


def test_pipelined(server: Server) -> None:
    """Several messages on their way on one connection are each verified and timed."""
    load = loaded(server.target, *SHORT, "--closed", "--connections", "1", "--pipeline", "16", "--size", "1,64KiB")
    assert load.figures["outcomes"] == {"ok": load.figures["exchanges"]}
    assert load.figures["exchanges"] > 16


def test_ramp(server: Server) -> None:
    """A growing rate is due slice by slice, and the throughput follows a server that keeps up."""
    load = loaded(server.target, "--rate", "100..900", "--duration", "2s", "--warmup", "0")
    assert abs(load.figures["due"] - 1000) <= 1
    rates = [each["due_rate"] for each in load.figures["slices"]]
    quarter = len(rates) // 4
    assert quarter > 0
    assert sum(rates[-quarter:]) > 2 * sum(rates[:quarter])
    assert load.figures["outcomes"] == {"ok": load.figures["due"]}


def test_server_that_stands_still() -> None:
    """A server that stands still for a second shows in response time as theory has it; service time hides it.

    At a rate R over T seconds, what falls due while it stands still for D waits from D down to nothing, evenly: R × D
    of R × T exchanges. So a share p of all waits longer than D - p × T: for p99, D - 0.01 × T. Service time knows of
    one exchange for each connection, which of R × T is too few for p99.
    """
    rate, seconds, connections = 400, 5.0, 4
    with (
        Server("--workers", "1") as server,
        Load(
            server.target,
            *("--rate", str(rate), "--duration", f"{seconds:g}s", "--warmup", "0"),
            *("--connections", str(connections)),
        ) as load,
    ):
        until(lambda: server.metrics()["stentor_server_received_bytes_total"] > 64 * rate, "the load to be under way")
        (pid,) = server.worker_pids()
        begun = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(1.0)  # the length is what is tested
        finally:
            os.kill(pid, signal.SIGCONT)
        stood_still = time.monotonic() - begun
        assert load.end() == 0
    assert load.figures["outcomes"] == {"ok": rate * seconds}
    theory = stood_still - 0.01 * seconds
    assert math.isclose(load.figures["response_time_seconds"]["p99"], theory, abs_tol=0.3)
    assert math.isclose(load.figures["response_time_seconds"]["max"], stood_still, abs_tol=0.3)
    assert connections < 0.01 * rate * seconds
    assert load.figures["service_time_seconds"]["p99"] < stood_still / 4


@pytest.mark.parametrize(
    ("behaviour", "outcome", "code"),
    [
        (lying.flip, "mismatch", 5),
        (lying.truncate, "short", 5),
        (lying.add, "extra", 5),
        (lying.repeat_the_first, "mismatch", 5),
        (lying.close_early, "eof", 4),
        (lying.reset, "reset", 4),
        (lying.stay_silent, "timeout", 4),
    ],
)
def test_lies(behaviour: Behaviour, outcome: str, code: int) -> None:
    """Each lie gives its outcome, an event with the facts, and the exit code."""
    with LyingServer(behaviour) as server:
        load = loaded(
            server.target,
            "--duration",
            "500ms",
            "--warmup",
            "0",
            "--rate",
            "20",
            "--timeout",
            "200ms",
            "--connections",
            "1",
        )
    assert outcome in load.figures["outcomes"]
    assert load.process.returncode == code
    assert any(each["event"] == "exchange.failed" and each["outcome"] == outcome for each in load.events)


def test_thresholds(server: Server) -> None:
    """A threshold that is not met is named, and the exit code is 6; one that is met is named as well."""
    load = loaded(server.target, *SHORT, "--rate", "100", "--max-p50", "10s", "--max-p99", "1ms", "--size", "4MiB")
    assert load.process.returncode == 6
    judged = {each["name"]: each["met"] for each in load.figures["thresholds"]}
    assert judged == {"max-p50": True, "max-p99": False}


def test_error_rate() -> None:
    """A share of failures that was allowed is no failure of the command; one above it is."""
    with LyingServer(lying.flip) as server:
        rate = ("--rate", "20", "--max-error-rate")
        assert loaded(server.target, *SHORT, *rate, "100%").process.returncode == 0
        assert loaded(server.target, *SHORT, *rate, "99%").process.returncode == 6


def test_echo() -> None:
    """A plain echo is a lie, unless it is what was asked for."""
    with LyingServer(lying.echo) as server:
        assert loaded(server.target, *SHORT, "--rate", "50").process.returncode == 5
        load = loaded(server.target, *SHORT, "--rate", "50", "--expect", "echo")
        assert (load.process.returncode, load.figures["outcomes"]) == (0, {"ok": 25})


def test_server_in_go(tmp_path: Path) -> None:
    """A server written by others, in Go, is verified as the own one is."""
    (go,), skipped = contenders(tmp_path, ["go"])
    assert skipped == {}
    with go.running(os.sched_getaffinity(0), tmp_path) as server:
        load = loaded(f"127.0.0.1:{server.port}", *SHORT, "--rate", "50", "--size", "1,64,300KiB")
    assert (load.process.returncode, load.figures["outcomes"]) == (0, {"ok": 25})


def test_nobody_listens() -> None:
    """Where nobody listens, one line says so, and nothing is measured."""
    load = loaded("127.0.0.1:1", *SHORT)
    assert load.process.returncode == 3
    assert load.complaints == "stentor-client: refused: 127.0.0.1:1: Connection refused"
    assert load.figures == {}


def test_interrupted(server: Server) -> None:
    """Ctrl-C ends a load early, with the figures so far."""
    with Load(server.target, "--duration", "1h", "--warmup", "0", "--rate", "500") as load:
        until(lambda: server.metrics()["stentor_server_received_bytes_total"] > 64 * 100, "the load to be under way")
        load.interrupt()
        assert load.end() == 130
    assert load.figures["outcomes"].keys() == {"ok"}
    assert 0 < load.figures["measured_seconds"] < 60


def test_report_in_a_pipe(server: Server) -> None:
    """In a pipe the report is plain text, and the progress is not shown."""
    done = run("stentor-client", "load", "--target", server.target, *SHORT, "--rate", "100")
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert b"response time" in done.stdout
    assert b"every reply was right" in done.stdout
    assert done.stderr == b""


def test_worker_that_is_lost(server: Server) -> None:
    """Where a worker of the load is killed, what was counted is told, and that it is not the whole: exit code 1."""
    with Load(server.target, "--duration", "1h", "--warmup", "0", "--rate", "500", "--workers", "2") as load:
        until(lambda: server.metrics()["stentor_server_received_bytes_total"] > 64 * 100, "the load to be under way")
        children = Path(f"/proc/{load.process.pid}/task/{load.process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        assert load.end() == 1
    assert load.figures["outcomes"]["ok"] > 0
    assert "a worker of the load was lost" in load.complaints
