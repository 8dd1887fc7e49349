"""Reading Stentor's metrics, once or once a second."""

import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

from bench.server import Server

INTERVAL_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0


def metrics(server: Server) -> str:
    """Return what a scrape returns.

    Raises OSError.
    """
    with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/metrics", timeout=TIMEOUT_SECONDS) as answer:
        text: str = answer.read().decode()
    return text


def connections_active(server: Server) -> int:
    """Return how many connections the server says are open.

    Raises OSError.
    """
    found = re.search(r"^stentor_server_connections_active (\S+)$", metrics(server), re.MULTILINE)
    return int(float(found[1])) if found else 0


@contextmanager
def scraped(server: Server) -> Iterator[None]:
    """Scrape a server once a second meanwhile; raise, at the end, what one that failed raised."""
    done = threading.Event()
    failures: list[Exception] = []

    def scrape() -> None:
        try:
            while not done.wait(INTERVAL_SECONDS):
                metrics(server)
        except (OSError, HTTPException) as failure:
            failures.append(failure)

    thread = threading.Thread(target=scrape, name="scraper")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    if failures:
        raise failures[0]
