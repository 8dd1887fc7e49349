"""`stentor-client reconcile` with queries, against a real Prometheus that scrapes the pair, Envoy and HAProxy."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from exposition import OPENER
from processes import BIN, ENVIRONMENT, Probe, Server
from proxies import program
from stack.compose import Stack
from waiting import until

pytestmark = pytest.mark.timeout(600)

ENOUGH = 'stentor_client_exchanges_total{outcome="ok"}'
TRUSTING = ("--proxy-protocol", "v1", "--proxy-from", "127.0.0.1")
HEADER_BYTES = len("PROXY TCP4 127.0.0.1 127.0.0.1 50000 50000\r\n")
FRESH = ("--connection", "fresh")
SOON = ("--timeout", "1m", "--max-difference", "2%")  # ends as soon as everything agrees as well as that
FRONT = 'haproxy_frontend_{}_total{{proxy="fresh"}}'

# For each way the queries whose result must agree, and those whose result must not.
RIGHT = {
    "direct": (
        'client-query=sent_bytes=sum(stentor_client_sent_bytes_total{job="direct"})',
        'server-query=connections=stentor_server_connections_accepted_total{job="direct"}',
    ),
    "envoy": (
        "client-query=sent_bytes=envoy_tcp_downstream_cx_rx_bytes_total",
        "client-query=received_bytes=envoy_tcp_downstream_cx_tx_bytes_total",
        "server-query=connections=envoy_cluster_upstream_cx_total",
        "server-query=sent_bytes=envoy_cluster_upstream_cx_rx_bytes_total",
    ),
    "haproxy": (
        'client-query=sent_bytes=haproxy_frontend_bytes_in_total{proxy="fresh"}',
        'client-query=received_bytes=haproxy_frontend_bytes_out_total{proxy="fresh"}',
        'server-query=connections=sum(haproxy_server_sessions_total{proxy="fresh"})',
    ),
    "kept": (),
}
WRONG = {
    "direct": tuple(
        f'server-query=received_bytes={share}*stentor_server_received_bytes_total{{job="direct"}}'
        for share in (0.5, 0.9, 0.99)
    ),
    "envoy": (
        *(f"client-query=sent_bytes={share}*envoy_tcp_downstream_cx_rx_bytes_total" for share in (0.5, 0.9, 0.99)),
        "server-query=received_bytes=envoy_cluster_upstream_cx_tx_bytes_total",  # with a PROXY header per connection
    ),
    "haproxy": (
        *(
            f'client-query=sent_bytes={share}*haproxy_frontend_bytes_in_total{{proxy="fresh"}}'
            for share in (0.5, 0.9, 0.99)
        ),
        'server-query=connections=0.5*sum(haproxy_server_sessions_total{proxy="fresh"})',
        f"client-query=sent_bytes={FRONT.format('bytes_in')}+28*{FRONT.format('sessions')}",
    ),
    "kept": ('client-query=sent_bytes=haproxy_frontend_bytes_in_total{proxy="kept"}',),
}


class Ended(NamedTuple):
    """A reconciliation that has ended."""

    code: int
    report: dict[str, Any]

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each query."""
        return {each["promql"]: each["verdict"] for each in self.report["queries"]}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _child(*command: str, **options: Any) -> Iterator[None]:
    with subprocess.Popen(command, **options) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def _envoy(folder: Path, target: str) -> Iterator[tuple[str, str]]:
    """Run Envoy before a server that accepts PROXY headers; yield its address, and that of its metrics."""

    def address(port: int) -> dict[str, Any]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    def typed(name: str, kind: str, **fields: Any) -> dict[str, Any]:
        return {"name": name, "typed_config": {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **fields}}

    sockets = "transport_sockets"
    raw = typed("envoy.transport_sockets.raw_buffer", f"{sockets}.raw_buffer.v3.RawBuffer")
    header = typed(
        "envoy.transport_sockets.upstream_proxy_protocol",
        f"{sockets}.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
        config={"version": "V1"},
        transport_socket=raw,
    )
    endpoint = {"endpoint": {"address": address(int(target.rpartition(":")[2]))}}
    proxy = typed(
        "envoy.filters.network.tcp_proxy",
        "filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix="stentor",
        cluster="stentor",
    )
    cluster = {
        "name": "stentor",
        "type": "STATIC",
        "transport_socket": header,
        "load_assignment": {"cluster_name": "stentor", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "front", "address": address(0), "filter_chains": [{"filters": [proxy]}]}
    configuration = {
        "admin": {"address": address(0)},
        "static_resources": {"listeners": [listener], "clusters": [cluster]},
    }
    (folder / "envoy.json").write_text(json.dumps(configuration))
    admin = folder / "admin"
    options = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning")
    with _child(f"{BIN}/envoy", "-c", f"{folder}/envoy.json", "--admin-address-path", str(admin), *options):

        def front() -> str:
            with OPENER.open(f"http://{admin.read_text()}/listeners", timeout=10) as response:
                return str(response.read().decode().partition("::")[2].strip())

        yield until(front, "Envoy to listen"), admin.read_text()


@contextmanager
def _haproxy(folder: Path, fresh: str, kept: str) -> Iterator[tuple[str, str, str]]:
    """Run HAProxy before two servers; yield both of its addresses, and that of its metrics."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    numbers = [listener.fileno() for listener in listeners]
    (folder / "haproxy.cfg").write_text(f"""\
        defaults
            mode tcp
            timeout connect 30s
            timeout client 5m
            timeout server 5m
        listen fresh
            bind fd@{numbers[0]}
            server stentor {fresh}
        listen kept
            bind fd@{numbers[1]}
            server stentor {kept}
        frontend metrics
            mode http
            bind fd@{numbers[2]}
            http-request use-service prometheus-exporter
""")
    with ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        stack.enter_context(_child(program("haproxy"), "-db", "-f", f"{folder}/haproxy.cfg", pass_fds=numbers))
        first, second, metrics = ("{}:{}".format(*listener.getsockname()) for listener in listeners)
        yield first, second, metrics


@contextmanager
def _prometheus(folder: Path, jobs: dict[str, list[str]]) -> Iterator[str]:
    """Run the Prometheus of the compose file, which scrapes these targets every 5 s; yield its URL."""
    file, port, stack = folder / "prometheus.yml", _free_port(), Stack()
    scraped = [
        {
            "job_name": job,
            "metrics_path": "/stats/prometheus" if job == "proxy-envoy" else "/metrics",
            "static_configs": [{"targets": targets}],
        }
        for job, targets in jobs.items()
    ]
    file.write_text(json.dumps({"global": {"scrape_interval": "5s"}, "scrape_configs": scraped}))
    image = stack.compose("config", "--images", "prometheus").strip()
    container = stack.docker.containers.run(
        image,
        [
            "--config.file=/prometheus.yml",
            f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.path=/data",
        ],
        network_mode="host",
        volumes={str(file): {"bind": "/prometheus.yml", "mode": "ro"}},
        tmpfs={"/data": "mode=1777"},
        detach=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"

        def all_up() -> bool:
            with OPENER.open(f"{url}/api/v1/query?query=count(up==1)", timeout=10) as response:
                found = json.loads(response.read())["data"]["result"]
            return bool(found) and int(found[0]["value"][1]) == sum(map(len, jobs.values()))

        until(all_up, "Prometheus to scrape everything")
        yield url
    finally:
        print(container.logs().decode(), file=sys.stderr)
        container.remove(force=True)
        stack.docker.close()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Ended]:
    """All reconciliations, which run at the same time."""
    folder = tmp_path_factory.mktemp("reconcile")
    with ExitStack() as stack:
        server = {
            way: stack.enter_context(Server("--workers", "1", *(TRUSTING if way == "envoy" else ()))) for way in RIGHT
        }
        envoy, envoy_admin = stack.enter_context(_envoy(folder, server["envoy"].target))
        fresh, kept, haproxy = stack.enter_context(_haproxy(folder, server["haproxy"].target, server["kept"].target))
        targets = {"direct": server["direct"].target, "envoy": envoy, "haproxy": fresh, "kept": kept}
        probe = {
            way: stack.enter_context(Probe(target, *(() if way in {"direct", "kept"} else FRESH)))
            for way, target in targets.items()
        }
        jobs = {way: [each.admin.removeprefix("http://") for each in (server[way], probe[way])] for way in RIGHT}
        url = stack.enter_context(_prometheus(folder, {**jobs, "proxy-envoy": [envoy_admin], "proxy": [haproxy]}))
        for each in probe.values():
            each.reaches(ENOUGH, 6)
        running = {
            (way, kind): subprocess.Popen(
                [
                    *(f"{BIN}/stentor-client", "reconcile", "--prometheus", url, "--json", "-", *options),
                    *("--server-admin", server[way].admin, "--client-admin", probe[way].admin),
                    *(f"--{query}" for query in queries[way]),
                ],
                env=ENVIRONMENT,
                stdout=subprocess.PIPE,
            )
            for kind, queries, options in (("right", RIGHT, SOON), ("wrong", WRONG, ("--timeout", "17s")))
            for way in RIGHT
            if queries[way]
        }
        found = {}
        for key, process in running.items():
            output, _ = process.communicate(timeout=300)
            found[key] = Ended(process.returncode, json.loads(output))
        return found


@pytest.mark.parametrize("way", ["direct", "envoy", "haproxy"])
def test_right_queries_agree(ended: dict[tuple[str, str], Ended], way: str) -> None:
    """What Prometheus scraped right agrees, within 2 % of the count or better."""
    code, report = ended[way, "right"]
    assert (code, report["agree"]) == (0, True), report
    for each in report["queries"]:
        bound = max(-each["difference_low"], each["difference_high"])
        assert (bound <= 0.02 * each["left_count"], each["difference"]) == (True, 0)
    assert len(report["queries"]) == len(RIGHT[way])


@pytest.mark.parametrize("way", ["direct", "envoy", "haproxy"])
def test_wrong_queries_never_agree(ended: dict[tuple[str, str], Ended], way: str) -> None:
    """A half, a tenth, a hundredth or one PROXY header per connection too little or too much never agrees."""
    code, report = ended[way, "wrong"]
    assert code in {6, 7}
    assert {*ended[way, "wrong"].verdicts.values()} <= {"differ", "cannot tell"}, report
    assert len(report["queries"]) == len(WRONG[way])


def test_proxy_header_is_the_difference(ended: dict[tuple[str, str], Ended]) -> None:
    """The difference that Envoy's own count has is its PROXY headers, to the byte if a moment was quiet."""
    (header,) = (each for each in ended["envoy", "wrong"].report["queries"] if each["side"] == "server")
    connections = ended["envoy", "wrong"].report["client"]["opened"]
    assert 0 < header["difference_low"] <= HEADER_BYTES * (connections + 1)


def test_connections_that_last(ended: dict[tuple[str, str], Ended]) -> None:
    """HAProxy adds the bytes of a connection when it ends: before, nobody can tell, and a note says why."""
    code, report = ended["kept", "wrong"]
    assert (code, [*ended["kept", "wrong"].verdicts.values()]) == (7, ["cannot tell"])
    assert any("HAProxy adds the bytes of a connection when it ends" in note for note in report["notes"])
