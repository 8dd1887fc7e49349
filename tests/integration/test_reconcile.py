"""`stentor-client reconcile`, against a real pair whose traffic goes on meanwhile."""

import json
import os
import signal
import subprocess
from typing import Any

import pytest

from altering import altering, once
from processes import Probe, Server, run
from unit.client.reconcile.endpoints import answering, prometheus
from waiting import until

OK = 'stentor_client_exchanges_total{outcome="ok"}'
SLOW = ("--interval", "300ms", "--sizes", "64,1KiB,64KiB")
AGREED, DISAGREED = 0, 6


def _reconcile(server: Server, *probes: Probe, options: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    """Return the exit code, and what is told."""
    admins = [word for probe in probes for word in ("--client-admin", probe.admin)]
    done = run("stentor-client", "reconcile", "--server-admin", server.admin, *admins, "--json", "-", *options)
    assert done.stderr == b""
    return done.returncode, json.loads(done.stdout)


def _exchanged(probe: Probe, count: int) -> None:
    until(lambda: probe.metrics()[OK] >= count, f"{count} exchanges")


def _differences(told: dict[str, Any]) -> dict[str, float]:
    return {each["quantity"]: each["difference"] for each in told["quantities"] if each["verdict"] == "differ"}


def _verdicts(told: dict[str, Any]) -> set[str]:
    return {each["verdict"] for each in told["quantities"]}


def _health(server: Server) -> "subprocess.CompletedProcess[bytes]":
    port, admin_port = str(server.address[1]), server.admin.rpartition(":")[2]
    return run("stentor-server", "health", "--port", port, "--admin-port", admin_port)


@pytest.mark.parametrize("connection", ["persistent", "fresh"])
def test_agree_to_the_byte(server: Server, connection: str) -> None:
    """While a probe exchanges, both sides agree exactly, in a fraction of the time that they have."""
    with Probe(server.target, *SLOW, "--connection", connection) as probe:
        _exchanged(probe, 3)
        code, told = _reconcile(server, probe, options=("--timeout", "30s"))
    assert (code, _verdicts(told), told["notes"]) == (AGREED, {"agree"}, [])
    assert told["summary"] == "The counts agree, to the byte."
    assert told["client"]["sent_bytes"] >= 64 + 1024 + 65536


def test_three_clients(server: Server) -> None:
    """The counts of several clients add up, and one that is left out is missed."""
    with Probe(server.target, *SLOW) as one, Probe(server.target, *SLOW) as two, Probe(server.target, *SLOW) as three:
        for probe in (one, two, three):
            _exchanged(probe, 2)
        code, told = _reconcile(server, one, two, three, options=("--timeout", "30s"))
        assert (code, _verdicts(told)) == (AGREED, {"agree"})
        code, told = _reconcile(server, one, two, options=("--timeout", "1s"))
        assert code == DISAGREED
        assert _differences(told).items() >= {"connections": 1, "open connections": 1}.items()


def test_traffic_without_a_pause(server: Server) -> None:
    """Under load there is no quiet moment, and the counts agree within what moved."""
    with Probe(server.target, "--rate", "5000", "--sizes", "64KiB") as probe:
        _exchanged(probe, 50)
        code, told = _reconcile(server, probe, options=("--timeout", "1s"))
    assert code == AGREED
    assert told["summary"].startswith("The counts agree")
    bounds = {each["quantity"]: (each["difference_low"], each["difference_high"]) for each in told["quantities"]}
    assert all(low <= 0 <= high for low, high in bounds.values())
    assert bounds["connections"] == (0, 0)


def test_health_checks(server: Server) -> None:
    """The server's own health checks, of which no client knows, are left out and told."""
    with Probe(server.target, *SLOW) as probe:
        _exchanged(probe, 2)
        for _ in range(3):
            assert _health(server).returncode == 0
        code, told = _reconcile(server, probe, options=("--timeout", "30s"))
    assert (code, _verdicts(told)) == (AGREED, {"agree"})
    assert [told["server"][name] for name in ("checks", "checks_received_bytes", "checks_unfinished")] == [3, 6, 0]
    (note,) = told["notes"]
    assert note.endswith("3 connections of its own health checks, with 6 bytes to the server and 6 bytes back.")


def test_health_check_that_ended_half_way(server: Server) -> None:
    """A check that was killed before it told what it moved spoils nothing, and what it may have moved is said."""
    assert server.get("/readyz?health_check=began")[0] == 200
    with server.connect() as connection:
        connection.sendall(b"aZ")
        assert connection.recv(2) == b"AZ"
    with Probe(server.target, *SLOW) as probe:
        _exchanged(probe, 2)
        code, told = _reconcile(server, probe, options=("--timeout", "1s"))
    assert code == AGREED
    assert told["server"]["checks_unfinished"] == 1
    assert _verdicts(told) == {"agree", "agree within what moved"}
    assert "up to 1 connection and 2 bytes each way may be theirs" in told["notes"][0]


def test_nonsense_about_health_checks(server: Server) -> None:
    """What no check would say is refused with 400, and counts nothing."""
    for query in ("health_check=over", "health_check=ended&received_bytes=2&sent_bytes=x"):
        status, body = server.get(f"/readyz?{query}")
        assert (status, body.count("\n")) == (400, 1)
    assert server.metrics()["stentor_server_health_checks_total"] == 0
    assert server.get("/readyz?verbose")[0] == 200


def test_stranger(server: Server) -> None:
    """Somebody else's connection is found to the byte; compared from then on, the counts agree."""
    with Probe(server.target, *SLOW) as probe:
        _exchanged(probe, 2)
        assert server.ask(b"stranger") == b"STRANGER"
        code, told = _reconcile(server, probe, options=("--timeout", "4s"))
        assert (code, _differences(told)) == (
            DISAGREED,
            {"connections": 1, "bytes to the server": 8, "bytes back": 8},
        )
        assert "--during" in told["notes"][-1]
        code, told = _reconcile(server, probe, options=("--during", "1s", "--timeout", "30s"))
        assert (code, _verdicts(told)) == (AGREED, {"agree"})
        assert told["client"]["sent_bytes"] == told["server"]["received_bytes"] > 0


def test_proxy_that_passes_on(server: Server) -> None:
    """A proxy that passes on what it gets changes no count."""
    with altering(server.address) as proxy, Probe(proxy.target, *SLOW) as probe:
        _exchanged(probe, 3)
        code, told = _reconcile(server, probe, options=("--timeout", "30s"))
        assert (code, _verdicts(told)) == (AGREED, {"agree"})


@pytest.mark.parametrize(
    ("way", "quantity", "difference"),
    [("there", "bytes to the server", -1), ("there", "bytes to the server", 3), ("back", "bytes back", 1)],
)
def test_proxy_that_alters(server: Server, way: str, quantity: str, difference: int) -> None:
    """What a proxy loses or adds on its way is found to the byte, while the client goes on."""

    def alter(data: bytes) -> bytes:
        return data[:-1] if abs(difference) == 1 else data + b"add"

    ways = {way: once(alter, after=1)}
    options = (*SLOW, "--sizes", "64", "--timeout", "2s")
    with altering(server.address, **ways) as proxy, Probe(proxy.target, *options) as probe:
        probe.event("exchange.failed")
        _exchanged(probe, 4)
        code, told = _reconcile(server, probe, options=("--timeout", "4s"))
        assert code == DISAGREED
        assert _differences(told)[quantity] == difference
        assert "connections" not in _differences(told)
        assert any("failed at the client" in note for note in told["notes"])


def test_killed_worker(server: Server) -> None:
    """After a worker was killed between two exchanges, the client's next connection and all bytes still agree."""
    with Probe(server.target, *SLOW) as probe:
        _exchanged(probe, 2)
        for pid in server.worker_pids():
            os.kill(pid, signal.SIGKILL)
        probe.event("connection.lost")
        good = int(probe.metrics()[OK])
        _exchanged(probe, good + 2)
        code, told = _reconcile(server, probe, options=("--timeout", "2s"))
    assert told["server"]["lost"] == 1
    assert any("lost with a worker" in note for note in told["notes"])
    # The next message may have been on its way to the one that was killed: then it is lost, and so much is told.
    missing = told["client"]["failed"] * 65536
    assert code in ({AGREED} if not told["client"]["failed"] else {AGREED, DISAGREED})
    assert all(-missing <= difference <= missing for difference in _differences(told).values())
    assert not {"connections", "open connections"} & _differences(told).keys()


def test_prometheus(server: Server) -> None:
    """A query's value is held against the exact count: the same, told late, agrees; another does not."""
    with Probe(server.target, *SLOW) as probe:

        def told(promql: str) -> float:
            values = (server if "server" in promql else probe).metrics()
            return values[promql.partition(" ")[0]] - ("less" in promql)

        with answering(prometheus(told)) as url:
            _exchanged(probe, 2)
            queries = (
                *("--server-query", "received_bytes=stentor_server_received_bytes_total"),
                *("--client-query", "connections=stentor_client_connections_opened_total"),
            )
            code, data = _reconcile(server, probe, options=("--prometheus", url, "--timeout", "30s", *queries))
            assert (code, [each["verdict"] for each in data["queries"]]) == (AGREED, ["agree", "agree"])
            wrong = ("--client-query", "connections=stentor_client_connections_opened_total less")
            code, data = _reconcile(server, probe, options=("--prometheus", url, "--timeout", "1s", *wrong))
            assert (code, data["queries"][0]["difference"], _differences(data)) == (DISAGREED, -1, {})


def test_endpoint_that_is_gone(server: Server) -> None:
    """An endpoint that cannot be read is one line, and exit code 3."""
    with Probe(server.target, *SLOW) as probe:
        gone = probe.admin
    done = run("stentor-client", "reconcile", "--server-admin", server.admin, "--client-admin", gone)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode() == f"stentor-client: cannot read {gone}/metrics: Connection refused\n"


def test_table_in_a_pipe(server: Server) -> None:
    """In a pipe the table is plain text."""
    with Probe(server.target, *SLOW) as probe:
        _exchanged(probe, 1)
        arguments = ("--server-admin", server.admin, "--client-admin", probe.admin, "--timeout", "30s")
        done = run("stentor-client", "reconcile", *arguments)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[0].split() == ["quantity", "client", "server", "difference", "verdict"]
    assert lines[-1] == "The counts agree, to the byte."
