"""The log of a service whose reader is slow, while peers send what makes long lines."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import threading
from typing import Any
from urllib.parse import urlsplit

from connections import read_all
from processes import BIN, ENVIRONMENT
from waiting import until

COMMAND = ("serve", "--port", "0", "--admin-port", "0", "--workers", "2", "--log-format", "json")
CONNECTIONS = 500
REQUESTS = 100
MALFORMED = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"\1" * 8000 + b"\r\n\r\n"


def test_every_line_is_json() -> None:
    """No line is cut into by another process's and none is lost, and what peers make libraries say is limited."""
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)  # a longer write waits for the reader half way
    lines: list[bytes] = []
    with (
        open(ours, "rb", buffering=512) as log,
        subprocess.Popen([f"{BIN}/stentor-server", *COMMAND], env=ENVIRONMENT, stdout=theirs) as service,
    ):
        os.close(theirs)
        reader = threading.Thread(target=lambda: lines.extend(log))
        reader.start()
        try:
            ready = until(lambda: _events(lines, "server.ready"), "the server to be ready")[0]
            asking = threading.Thread(target=_ask, args=(urlsplit(ready["admin"]).netloc, MALFORMED, REQUESTS))
            asking.start()
            _ask(ready["addresses"][0], b"a", CONNECTIONS)
            asking.join()
        finally:
            service.terminate()
            reader.join()
    assert len(_events(lines, "connection.closed")) == CONNECTIONS
    relayed = _events(lines, "library.warning")
    assert all(event["truncated"] for event in relayed)
    assert len(relayed) + sum(event["events"] for event in _events(lines, "library.suppressed")) == REQUESTS
    assert len(relayed) < REQUESTS


def _events(lines: list[bytes], name: str) -> list[dict[str, Any]]:
    return [event for event in map(json.loads, [*lines]) if event["event"] == name]


def _ask(address: str, data: bytes, times: int) -> None:
    host, _, port = address.rpartition(":")
    for _ in range(times):
        with socket.create_connection((host, int(port)), 60) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(data)
            if data is not MALFORMED:
                connection.shutdown(socket.SHUT_WR)
            read_all(connection)
