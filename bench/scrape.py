"""Read Stentor's metrics, once or once a second."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.server import Server

INTERVAL_SECONDS = 1.0


def connections_active(server: Server) -> int:
    """Return the server's own number of open connections.

    Raises OSError.
    """
    found = re.search(r"^stentor_server_connections_active (\S+)$", server.get("/metrics"), re.MULTILINE)
    return int(float(found[1])) if found else 0


@contextmanager
def scraped(server: Server) -> Iterator[None]:
    """Scrape a server once a second until the block ends; then raise the OSError of a scrape that failed."""
    done = threading.Event()
    failures: list[OSError] = []

    def scrape() -> None:
        try:
            while not done.wait(INTERVAL_SECONDS):
                server.get("/metrics")
        except OSError as failure:
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
