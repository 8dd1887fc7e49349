"""`stentor-client probe`, over every way to a server."""

import subprocess
from pathlib import Path

import pytest

from certificates import Authority
from processes import Probe, Server

OK = 'stentor_client_exchanges_total{outcome="ok"}'
QUICK = ("--count", "6", "--interval", "20ms", "--sizes", "64,100KiB")
SIX = 3 * (64 + (100 << 10))


@pytest.mark.parametrize("connection", ["persistent", "fresh", "mixed"])
def test_tls(authority: Authority, connection: str) -> None:
    """Over TLS both sides count the same connections and bytes, every connection ends in order, and TLS is timed."""
    options = ("--tls", "--tls-ca", authority.file, "--connection", connection)
    with (
        Server("--workers", "1", "--tls-cert", authority.issue("server")) as server,
        Probe(server.target, *QUICK, *options) as probe,
    ):
        assert probe.end() == 0
        opened = {"persistent": 1, "fresh": 6, "mixed": 4}[connection]
        nbytes = 4 * 64 + 2 * (100 << 10) if connection == "mixed" else SIX  # both kinds of connection have each size
        summary = probe.event("probe.summary")
        assert (summary["outcomes"], summary["connections_opened"]) == ({"ok": 6}, opened)
        assert (summary["sent_bytes"], summary["received_bytes"]) == (nbytes, nbytes)
        closed = server.closed("eof", opened)
        assert [nbytes] * 2 == [sum(each[name] for each in closed) for name in ("received_bytes", "sent_bytes")]
        assert {each["tls"] for each in closed} == {"TLSv1.3"}


def test_mutual_tls(authority: Authority, tmp_path: Path) -> None:
    """With a certificate that the server accepts, it probes; without one, each exchange ends as `tls`."""
    clients = Authority(tmp_path, "clients")
    options = ("--tls-cert", authority.issue("server"), "--tls-client-ca", clients.file)
    trust = ("--tls", "--tls-ca", authority.file)
    with Server("--workers", "1", *options) as server:
        with Probe(server.target, *QUICK, *trust, "--tls-cert", clients.issue("client")) as probe:
            assert probe.end() == 0
        with Probe(server.target, "--count", "2", "--interval", "10ms", "--sizes", "64", *trust) as probe:
            failed = probe.event("exchange.failed", 2)
            assert (failed["outcome"], failed["phase"]) == ("tls", "first_byte")
            assert probe.event("connection.lost", 2)["outcome"] == "tls"
            assert probe.end() == 3


@pytest.mark.parametrize(("version", "host"), [("v1", "127.0.0.1"), ("v2", "::1")])
def test_proxy_protocol(authority: Authority, version: str, host: str) -> None:
    """The server reads the header, before TLS if there is TLS, and from it the client's own address."""
    options = ("--host", host, "--proxy-protocol", version, "--proxy-from", host)
    secured = version == "v2"
    served = ("--tls-cert", authority.issue("server", host)) if secured else ()
    trust = ("--tls", "--tls-ca", authority.file) if secured else ()
    with (
        Server("--workers", "1", *options, *served) as server,
        Probe(server.target, *QUICK, "--connection", "fresh", "--proxy-protocol", version, *trust) as probe,
    ):
        assert probe.end() == 0
        closed = server.closed("eof", 6)
        assert all(each["peer"] == each["proxy"] for each in closed)
        assert sum(each["received_bytes"] for each in closed) == SIX


def test_proxy_protocol_that_is_not_wanted(server: Server) -> None:
    """A server that expects no header takes it for a message, which the probe notices."""
    with Probe(server.target, *QUICK, "--proxy-protocol", "v1") as probe:
        assert probe.end() == 5
        assert probe.find("exchange.failed")[0]["outcome"] in {"mismatch", "extra"}


def test_unix_socket(tmp_path: Path) -> None:
    """A Unix socket is probed like any other; it has no TCP that the kernel could describe."""
    path = tmp_path / "stentor.sock"
    with (
        Server("--workers", "1", "--unix", str(path)),
        Probe(f"unix:{path}", "--interval", "20ms", "--connection", "mixed") as probe,
    ):
        values = probe.reaches("stentor_client_connection_age_seconds_count", 3)
        assert values["stentor_client_tcp_rtt_seconds"] == 0
        assert values['stentor_client_phase_duration_seconds_count{phase="resolve"}'] == 0
        assert values['stentor_client_phase_duration_seconds_count{phase="connect"}'] >= 3
        assert 0 < values["stentor_client_connection_age_seconds_sum"] < 60
        assert probe.event("connection.opened")["peer"] == f"unix:{path}"


@pytest.fixture
def two_addresses(tmp_path: Path) -> list[str]:
    """Runs a program for which the name `both` has the two addresses of loopback, in a mount namespace of its own."""
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 both\n::1 both\n")
    bind = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    before = ["unshare", "--map-root-user", "--mount", "sh", "-c", bind, "sh"]
    if subprocess.run([*before, "true"], capture_output=True, check=False, timeout=60).returncode:
        pytest.skip("this machine allows no mount namespaces; the unit tests change the addresses of a name")
    return before


def test_every_address(two_addresses: list[str]) -> None:
    """Each address of a name is probed on its own, and one that is not served is its own outcome."""
    with Server("--workers", "1", "--host", "127.0.0.1,::1") as dual:
        port = dual.address[1]
        both = {f"127.0.0.1:{port}", f"[::1]:{port}"}
        options = (*QUICK, "--resolve", "all", "--log-level", "debug")
        with Probe(f"both:{port}", *options, before=two_addresses) as probe:
            assert probe.end() == 0
            assert probe.event("probe.summary")["outcomes"] == {"ok": 12}
            for address in both:
                assert len(probe.find("exchange.completed", address=address)) == 6
            assert {each["address"] for each in probe.find("connection.opened")} == both
            assert {*probe.event("target.resolved")["addresses"]} == both
        assert {each["peer"].rpartition(":")[0] for each in dual.closed("eof", 2)} == {"127.0.0.1", "[::1]"}
    with Server("--workers", "1") as single:
        port = single.address[1]
        with Probe(f"both:{port}", *options, before=two_addresses) as probe:
            assert probe.end() == 3
            assert probe.event("probe.summary")["outcomes"] == {"ok": 6, "refused": 6}
            assert {each["address"] for each in probe.find("exchange.failed")} == {f"[::1]:{port}"}


def test_name_that_does_not_resolve() -> None:
    """If all addresses are wanted, a name that has none counts as `dns` at each interval."""
    with Probe("nobody.invalid:8080", "--count", "3", "--interval", "20ms", "--resolve", "all") as probe:
        failed = probe.event("exchange.failed", 3)
        assert (failed["outcome"], failed["phase"], failed["address"]) == ("dns", "resolve", None)
        assert probe.end() == 3
        assert probe.event("probe.summary")["outcomes"] == {"dns": 3}
