"""`stentor-client load` against the real server, and against others."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

import lying
from bench.contender import contenders
from lying import LyingServer
from processes import Server, children, loaded, run, running
from waiting import SECONDS

RECEIVED = "stentor_server_received_bytes_total"
ENDLESS = ("--duration", "1h", "--warmup", "0", "--rate", "500", "--json", "-")


@pytest.mark.parametrize("shape", [("--rate", "500"), ("--rate", "500", "--poisson"), ("--closed",)], ids="".join)
def test_every_exchange_is_counted(server: Server, shape: tuple[str, ...]) -> None:
    """What the load says it sent is what the server received, to the byte, over all workers that sent it."""
    code, figures, _ = loaded(server.target, *shape, "--workers", "2", "--size", "64,1000", "--connections", "4")
    assert (code, figures["outcomes"].keys()) == (0, {"ok"})
    assert figures["exchanges"] == figures["due"] == figures["response_time_seconds"]["count"] > 0
    values = server.quiet()
    assert values["stentor_server_sent_bytes_total"] == values[RECEIVED]
    assert values[RECEIVED] == figures["sent_bytes"] == figures["received_bytes"]
    # One connection more shows that the target is there before the load begins.
    assert values["stentor_server_connections_accepted_total"] == 4 + 1
    if shape == ("--rate", "500"):
        assert figures["exchanges"] == 250


def test_fresh_connections(server: Server) -> None:
    """With a connection for each exchange, the server accepts as many, and the way's phases are reported."""
    _, figures, _ = loaded(server.target, "--rate", "200", "--connection", "fresh")
    assert figures["outcomes"] == {"ok": 100}
    assert figures["connections_opened"] == 100
    assert figures["phase_seconds"].keys() == {"resolve", "connect", "first_byte"}
    assert figures["phase_seconds"]["connect"]["count"] == 100
    assert server.quiet()["stentor_server_connections_accepted_total"] == 100 + 1


def test_server_that_stands_still() -> None:
    """A server that stands still for a second shows in response time as theory has it; service time hides it.

    At a rate R over T seconds, what falls due while it stands still for D waits from D down to nothing, evenly: R × D
    of R × T exchanges. So a share p of all waits longer than D - p × T: for p99, D - 0.01 × T. Service time has one
    such exchange for each connection, which of R × T is too few for p99. A busy machine makes times longer only.
    """
    rate, seconds, connections = 400, 5.0, 4
    shape = ("--rate", str(rate), "--duration", f"{seconds:g}s", "--warmup", "0", "--connections", str(connections))
    with (
        Server("--workers", "1") as server,
        running("stentor-client", "load", "--target", server.target, *shape, "--json", "-") as load,
    ):
        server.reaches(RECEIVED, 64 * rate)
        (pid,) = server.worker_pids()
        begun = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(1.0)  # the length is what is tested
        finally:
            stood_still = time.monotonic() - begun
            os.kill(pid, signal.SIGCONT)
        figures = json.loads(load.communicate(timeout=SECONDS)[0])
    assert load.returncode == 0
    assert figures["outcomes"] == {"ok": rate * seconds}
    assert figures["response_time_seconds"]["max"] > 0.9 * stood_still
    assert figures["response_time_seconds"]["p99"] > 0.9 * (stood_still - 0.01 * seconds)
    assert figures["service_time_seconds"]["p99"] < figures["response_time_seconds"]["p99"] / 2


def test_lies() -> None:
    """A lie gives its outcome, an event with the facts, and the exit code, unless so many failures are allowed."""
    with LyingServer(lying.flip) as server:
        code, figures, events = loaded(server.target, "--rate", "20")
        assert (code, figures["outcomes"].keys()) == (5, {"mismatch"})
        assert {each["outcome"] for each in events if each["event"] == "exchange.failed"} == {"mismatch"}
        assert loaded(server.target, "--rate", "20", "--max-error-rate", "100%")[0] == 0
        assert loaded(server.target, "--rate", "20", "--max-error-rate", "99%")[0] == 6


def test_thresholds(server: Server) -> None:
    """A threshold that is not met is named, and the exit code is 6; one that is met is named as well."""
    code, figures, _ = loaded(server.target, "--rate", "10", "--max-p50", "1m", "--max-p99", "1ms", "--size", "4MiB")
    judged = {each["name"]: each["met"] for each in figures["thresholds"]}
    assert (code, judged) == (6, {"max-p50": True, "max-p99": False})


def test_server_in_go(tmp_path: Path) -> None:
    """A server written by others, in Go, is verified as the own one is."""
    (go,), skipped = contenders(tmp_path, ["go"])
    assert skipped == {}
    with go.running(os.sched_getaffinity(0), tmp_path) as server:
        code, figures, _ = loaded(f"127.0.0.1:{server.port}", "--rate", "50", "--size", "1,64,300KiB")
    assert (code, figures["outcomes"]) == (0, {"ok": 25})


def test_interrupted(server: Server) -> None:
    """Ctrl-C ends a load early, with the figures so far."""
    with running("stentor-client", "load", "--target", server.target, *ENDLESS) as load:
        server.reaches(RECEIVED, 64 * 100)
        load.send_signal(signal.SIGINT)
        figures = json.loads(load.communicate(timeout=SECONDS)[0])
    assert (load.returncode, figures["outcomes"].keys()) == (130, {"ok"})
    assert 0 < figures["measured_seconds"] < 600


def test_report_in_a_pipe(server: Server) -> None:
    """In a pipe the report is plain text, and the progress is not shown."""
    brief = ("--duration", "500ms", "--warmup", "0", "--rate", "100")
    ended = run("stentor-client", "load", "--target", server.target, *brief)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"\x1b" not in ended.stdout
    assert b"response time" in ended.stdout


def test_worker_that_is_lost(server: Server) -> None:
    """If a worker of the load is killed, what was counted is reported, and that it is not the whole: exit code 1."""
    with running("stentor-client", "load", "--target", server.target, *ENDLESS, "--workers", "2") as load:
        server.reaches(RECEIVED, 64 * 100)
        os.kill(children(load.pid)[-1], signal.SIGKILL)
        said, complained = load.communicate(timeout=SECONDS)
    assert load.returncode == 1
    assert json.loads(said)["outcomes"]["ok"] > 0
    assert b"worker" in complained
