"""`stentor-client load` against the real server, and against others."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from bench.contender import contenders
from processes import Server, loaded, running
from waiting import SECONDS

RECEIVED = "stentor_server_received_bytes_total"


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


def test_fewer_connections_than_asked_for() -> None:
    """If the server limits connections, that is said first, and the load has not done what it was asked for."""
    with Server("--max-connections", "3") as server:
        options = ("--connections", "6", "--rate", "50", "--max-error-rate", "100%")
        code, figures, _ = loaded(server.target, *options)
    assert (code, figures["connections_open_mean"] < 5.94) == (6, True)
    assert figures["warnings"][0].startswith("Only ")


def test_server_in_go(tmp_path: Path) -> None:
    """A server written by others, in Go, is verified as the own one is."""
    (go,), skipped = contenders(tmp_path, ["go"])
    assert skipped == {}
    with go.running(os.sched_getaffinity(0), tmp_path) as server:
        code, figures, _ = loaded(f"127.0.0.1:{server.port}", "--rate", "50", "--size", "1,64,300KiB")
    assert (code, figures["outcomes"]) == (0, {"ok": 25})
