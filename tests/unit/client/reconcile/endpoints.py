"""A pair of admin endpoints, and a Prometheus, that report what the test wants."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

Answer = Callable[[str], tuple[int, bytes]]  # from path and query to status and body


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Yield the base URL of a server that answers so."""

    class Handler(BaseHTTPRequestHandler):
        """Answers, and logs nothing."""

        def do_GET(self) -> None:
            status, body = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Client:
    """What a client reports; `scrapes` counts how often it was asked, and `before` is called each time."""

    opened: int = 0
    active: int = 0
    lost: int = 0
    good: int = 0
    failed: int = 0
    sent: int = 0
    received: int = 0
    service_seconds: float = 0.001
    started: float = 1000.0
    scrapes: int = 0
    before: Callable[["Client"], None] = field(default=lambda _: None)

    def text(self) -> str:
        """Return its exposition."""
        self.scrapes += 1
        self.before(self)
        return f"""\
stentor_client_connections_opened_total {self.opened}
stentor_client_connections_active {self.active}
stentor_client_connections_lost_total{{outcome="eof"}} {self.lost}
stentor_client_connections_lost_total{{outcome="reset"}} 0
stentor_client_exchanges_total{{outcome="ok"}} {self.good}
stentor_client_exchanges_total{{outcome="reset"}} {self.failed}
stentor_client_sent_bytes_total {float(self.sent)}
stentor_client_received_bytes_total {float(self.received)}
stentor_client_service_time_seconds_count {self.good}
stentor_client_service_time_seconds_sum {self.good * self.service_seconds}
process_start_time_seconds{{process="worker0"}} 7
process_start_time_seconds{{process="control"}} {self.started}
"""


@dataclass
class Server:
    """What a server reports."""

    accepted: int = 0
    active: int = 0
    lost: int = 0
    rejected: int = 0
    received: int = 0
    sent: int = 0
    unsent: int = 0
    waiting: int = 0
    added: int = 0
    started: float = 1000.0
    scrapes: int = 0
    before: Callable[["Server"], None] = field(default=lambda _: None)

    def text(self) -> str:
        """Return its exposition."""
        self.scrapes += 1
        self.before(self)
        return f"""\
stentor_server_connections_closed_total{{reason="eof"}} {self.accepted - self.active - self.lost}
stentor_server_connections_closed_total{{reason="worker_lost"}} {self.lost}
stentor_server_connections_accepted_total {self.accepted}
stentor_server_connections_active {self.active}
stentor_server_connections_rejected_total{{reason="not_allowed"}} {self.rejected}
stentor_server_received_bytes_total {float(self.received)}
stentor_server_sent_bytes_total {float(self.sent)}
stentor_server_unsent_bytes_total {self.unsent}
stentor_server_write_buffer_bytes {self.waiting}
stentor_server_faults_injected_total{{fault="extra"}} {self.added}
process_start_time_seconds{{process="control"}} {self.started}
"""


def pair(connections: int = 3, nbytes: int = 1000) -> tuple[Client, Server]:
    """Return a client and a server that agree."""
    client = Client(opened=connections, active=1, good=10, sent=nbytes, received=nbytes)
    return client, Server(accepted=connections, active=1, received=nbytes, sent=nbytes)


def admin(side: Client | Server) -> Answer:
    """Return how an admin endpoint answers."""
    return lambda path: (200, side.text().encode()) if path == "/metrics" else (404, b"")


class Scrape(NamedTuple):
    """One scrape of a target, and the value of the query from then on."""

    began: float  # in Unix time
    value: float
    seconds: float = 0.0
    target: str = "a"

    @property
    def sample(self) -> list[Any]:
        """The sample that Prometheus keeps of it."""
        return [round(self.began, 3), str(self.seconds)]


def prometheus(
    value: Callable[[str], Any], scrapes: Sequence[Scrape] = (), clock: Callable[[], float] = time.time
) -> Answer:
    """Return how a Prometheus answers: with the samples that `value` gives for a query, or one, or an error.

    Its value rose with these scrapes. Without scrapes, all was scraped just now.
    """

    def found(path: str, asked: dict[str, str]) -> Any:
        now, query = clock(), asked["query"]
        if path == "query_range":
            first, last, step = (float(asked[name]) for name in ("start", "end", "step"))
            assert (last - first) / step < 11_000
            moments = [first + step * number for number in range(int((last - first) / step) + 1)]
            known = [[at, str(max((each.value for each in scrapes if each.began <= at), default=0))] for at in moments]
            return {"resultType": "matrix", "result": [{"metric": {}, "values": known}] if scrapes else []}
        if query.startswith("scrape_duration_seconds["):
            near = [each for each in scrapes if 0 <= float(asked["time"]) - each.began < 0.0105 and each.target]
            return {"resultType": "matrix", "result": [_series(each) for each in near]}
        latest = {each.target: each.began for each in sorted(scrapes)}
        told = min(latest.values(), default=now) if query.startswith("min(") else value(query)
        if isinstance(told, str | dict):
            return told
        values = [str(each) for each in (told if isinstance(told, list) else [told])]
        return {"resultType": "vector", "result": [{"metric": {}, "value": [now, each]} for each in values]}

    def answer(path: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        if not parts.path.startswith("/api/v1/query"):
            return 404, b""
        data = found(parts.path.removeprefix("/api/v1/"), dict(parse_qsl(parts.query)))
        if isinstance(data, str):
            return 400, json.dumps({"status": "error", "errorType": "bad_data", "error": data}).encode()
        return 200, json.dumps({"status": "success", "data": data}).encode()

    return answer


def _series(scrape: Scrape) -> dict[str, Any]:
    return {"metric": {"instance": scrape.target}, "values": [scrape.sample]}
