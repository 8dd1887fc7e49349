"""`stentor-client reconcile`, against a real pair whose traffic goes on meanwhile."""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lying import LyingServer
from middlebox import altering, between, once
from processes import Probe, Server, run

OK = 'stentor_client_exchanges_total{outcome="ok"}'
SLOW = ("--interval", "300ms", "--sizes", "64,1KiB,64KiB")
LONG = ("--timeout", "1m")  # for what agrees, which ends as soon as it does
AGREED, DISAGREED = 0, 6


def _reconcile(server: Server, *probes: Probe, options: tuple[str, ...] = LONG) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and what is reported."""
    admins = [word for probe in probes for word in ("--client-admin", probe.admin)]
    ended = run("stentor-client", "reconcile", "--server-admin", server.admin, *admins, "--json", "-", *options)
    assert ended.stderr == b""
    return ended.returncode, json.loads(ended.stdout)


def _differences(report: dict[str, Any]) -> dict[str, float]:
    return {each["quantity"]: each["difference"] for each in report["quantities"] if each["verdict"] == "differ"}


def _verdicts(report: dict[str, Any]) -> set[str]:
    return {each["verdict"] for each in report["quantities"]}


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
def test_agree_to_the_byte(server: Server, connection: str) -> None:
    """While a probe exchanges, both sides agree exactly."""
    with Probe(server.target, *SLOW, "--connection", connection) as probe:
        probe.reaches(OK, 3)
        code, report = _reconcile(server, probe)
    assert (code, _verdicts(report), report["notes"]) == (AGREED, {"agree"}, [])
    assert report["client"]["sent_bytes"] >= 64 + 1024 + 65536


def test_health_checks(server: Server) -> None:
    """The server's own health checks, of which no client knows, do not count, and GET requests change no count."""
    with Probe(server.target, *SLOW) as probe:
        probe.reaches(OK, 2)
        for _ in range(3):
            assert run("stentor-server", "health", "--admin-port", server.admin.rpartition(":")[2]).returncode == 0
        assert server.get("/readyz?health_check=began") == (200, "ready\n")
        code, report = _reconcile(server, probe)
    assert (code, _verdicts(report), report["notes"]) == (AGREED, {"agree"}, [])


def test_stranger(server: Server) -> None:
    """Somebody else's connection is found to the byte; compared from then on, the counts agree."""
    with Probe(server.target, *SLOW) as probe:
        probe.reaches(OK, 2)
        assert server.ask(b"stranger") == b"STRANGER"
        code, report = _reconcile(server, probe, options=("--timeout", "4s"))
        stranger = {"connections": 1, "bytes to the server": 8, "bytes back": 8}
        assert (code, _differences(report)) == (DISAGREED, stranger)
        code, report = _reconcile(server, probe, options=("--during", "1s", *LONG))
        assert (code, _verdicts(report)) == (AGREED, {"agree"})
        assert report["client"]["sent_bytes"] == report["server"]["received_bytes"] > 0


def test_stranger_in_the_time_compared(server: Server) -> None:
    """A few bytes of somebody else are found to the byte beside a probe that sends ten messages a second."""
    with Probe(server.target, "--interval", "100ms") as probe, ThreadPoolExecutor(1) as pool:
        probe.reaches(OK, 2)
        reconciliation = pool.submit(_reconcile, server, probe, options=("--during", "1s", "--timeout", "6s"))
        strangers = 0
        while not reconciliation.done():
            assert server.ask(b"abcde") == b"ABCDE"
            strangers += 1
            threading.Event().wait(0.2)
        code, report = reconciliation.result()
    found = _differences(report)
    assert (code, {*found}) == (DISAGREED, {"connections", "bytes to the server", "bytes back"})
    assert 0 < found["connections"] < strangers
    assert found["bytes to the server"] % 5 == found["bytes back"] % 5 == 0


@pytest.mark.parametrize(
    ("way", "quantity", "difference"), [("there", "bytes to the server", -1), ("back", "bytes back", 1)]
)
def test_proxy_that_alters(server: Server, way: str, quantity: str, difference: int) -> None:
    """What a proxy loses on its way is found to the byte, while the client goes on."""
    pump = altering(**{way: once(lambda data: data[:-1], after=1)})
    options = ("--interval", "300ms", "--sizes", "64", "--timeout", "2s")
    with LyingServer(between(server.target, pump)) as proxy, Probe(proxy.target, *options) as probe:
        probe.event("exchange.failed")
        probe.reaches(OK, 4)
        code, report = _reconcile(server, probe, options=("--timeout", "4s"))
        assert code == DISAGREED
        assert _differences(report)[quantity] == difference
        assert "connections" not in _differences(report)


def test_killed_worker(server: Server) -> None:
    """After a worker was killed between two exchanges, the client's next connection and all bytes still agree."""
    with Probe(server.target, *SLOW) as probe:
        probe.reaches(OK, 2)
        for pid in server.worker_pids():
            os.kill(pid, signal.SIGKILL)
        probe.event("connection.lost")
        probe.reaches(OK, probe.metrics()[OK] + 2)
        code, report = _reconcile(server, probe, options=("--timeout", "4s"))
    assert report["server"]["lost"] == 1
    # The next message may have been on its way to the one that was killed: then it is lost, and so much is reported.
    missing = report["client"]["failed"] * 65536
    assert code in ({AGREED} if not report["client"]["failed"] else {AGREED, DISAGREED})
    assert all(-missing <= difference <= missing for difference in _differences(report).values())
    assert not {"connections", "open connections"} & _differences(report).keys()
