"""New certificates for a running server."""

import hashlib
import signal
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates import Authority
from connections import exchanged
from exposition import balanced
from processes import Server
from waiting import until


@pytest.fixture
def server(authority: Authority) -> Iterator[Server]:
    """A server that speaks TLS."""
    with Server("--workers", "2", "--tls-cert", authority.issue("server")) as server:
        yield server


def certificate_shown(server: Server, context: ssl.SSLContext) -> str:
    """Return which certificate a new connection is shown, after an exchange on it."""
    with server.secured(context) as connection:
        assert exchanged(connection)
        shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return hashlib.sha256(shown).hexdigest()


def test_new_certificate(server: Server, authority: Authority) -> None:
    """After SIGHUP new connections get the certificate that is in the file now, and none fails meanwhile."""
    context = authority.trust()
    before = certificate_shown(server, context)
    shown: list[str] = []
    failures: list[str] = []
    stop = threading.Event()

    def connect_all_the_time() -> None:
        while not stop.is_set():
            try:
                shown.append(certificate_shown(server, context))
            except (OSError, AssertionError) as error:
                failures.append(repr(error))

    client = threading.Thread(target=connect_all_the_time)
    client.start()
    try:
        authority.issue("server")
        server.process.send_signal(signal.SIGHUP)
        server.event("worker.started", 4)
        until(lambda: shown[-20:] == shown[-1:] * 20 != [before] * 20, "the new certificate alone to be shown")
    finally:
        stop.set()
        client.join()
    assert failures == []
    assert len(set(shown)) == 2
    assert server.quiet()['stentor_server_worker_restarts_total{reason="reload"}'] == 2


def test_broken_certificate(server: Server, authority: Authority) -> None:
    """While the file is broken, SIGHUP leaves the workers serving with what they have; mended, it is read."""
    context, pids = authority.trust(), server.worker_pids()
    before = certificate_shown(server, context)
    with server.secured(context) as persistent:
        path = Path(authority.issue("server"))
        mended = path.read_bytes()
        path.write_bytes(mended[: len(mended) // 2])
        server.process.send_signal(signal.SIGHUP)
        failed = server.event("worker.failed", 2)
        assert "exception" not in failed  # it is something to mend, not a bug
        assert exchanged(persistent)
        assert certificate_shown(server, context) == before
        assert server.worker_pids() == pids
        assert server.get("/readyz") == (200, "ready\n")
        assert balanced(server.metrics())
        path.write_bytes(mended)
        server.event("reload.completed")
        assert certificate_shown(server, context) != before
    server.quiet()
