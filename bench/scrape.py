"""Scrape a server while it is measured."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.server import Server

INTERVAL_SECONDS = 1.0


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
