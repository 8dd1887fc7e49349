"""`stentor-client probe`, over every way to a server."""

from pathlib import Path

import pytest

from certificates import Authority
from processes import Probe, Server

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
