"""Scrapes."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bench import scrape
from bench.server import Server

scrapes = threading.Semaphore(0)


class Admin(BaseHTTPRequestHandler):
    """Answers as Stentor does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"# TYPE x gauge\nstentor_server_connections_active 12.0\n")
        scrapes.release()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with an admin port."""
    with HTTPServer(("127.0.0.1", 0), Admin) as admin:
        thread = threading.Thread(target=admin.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Server(0, (), admin.server_address[1])
        admin.shutdown()
        thread.join()


def test_connections_active(server: Server) -> None:
    """The number is read from the metrics."""
    assert scrape.connections_active(server) == 12


def test_scraped(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is scraped again and again, until the block is left."""
    monkeypatch.setattr(scrape, "INTERVAL_SECONDS", 0.01)
    while scrapes.acquire(blocking=False):
        pass
    with scrape.scraped(server):
        assert all(scrapes.acquire(timeout=10) for _ in range(3))
    assert "scraper" not in {thread.name for thread in threading.enumerate()}


def test_scrape_that_fails(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape that failed is told when the block is left: what was measured meanwhile was measured without it."""
    monkeypatch.setattr(scrape, "INTERVAL_SECONDS", 0.0)
    failed = threading.Event()

    def fail(_server: Server) -> str:
        failed.set()
        raise ConnectionRefusedError

    monkeypatch.setattr(scrape, "metrics", fail)
    with pytest.raises(ConnectionRefusedError), scrape.scraped(server):
        assert failed.wait(10)
    assert "scraper" not in {thread.name for thread in threading.enumerate()}
