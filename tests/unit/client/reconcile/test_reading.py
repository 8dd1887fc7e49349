"""The counts of one side."""

import asyncio
import time

import pytest

from stentor_chassis.failure import Failure
from stentor_client.reconcile.reading import Reading, of_client, of_server, read
from stentor_client.verify.outcomes import NOT_REACHED
from unit.client.reconcile.endpoints import Answer, Client, Server, admin, answering


def _failure(answer: Answer) -> str:
    with answering(answer) as url, pytest.raises(Failure) as failure:
        asyncio.run(read([url], of_server))
    assert failure.value.code == NOT_REACHED
    return failure.value.message.replace(url, "URL")


def test_server() -> None:
    """Connections that a server accepted or rejected were opened, and all that are not active are closed."""
    server = Server(accepted=9, active=2, lost=1, rejected=4, received=50, sent=33, unsent=15, waiting=5)
    server.added = 3
    server.started = 1234.5
    began = time.monotonic()
    with answering(admin(server)) as url:
        reading = asyncio.run(read([url], of_server))
    assert reading.counts == {
        "opened": 13,
        "closed": 11,
        "accepted": 9,
        "accounted": 9,
        "rejected": 4,
        "lost": 1,
        "received_bytes": 50,
        "sent_bytes": 33,
        "unsent_bytes": 15,
        "answered_bytes": 50,
    }
    assert reading.started == (1234.5,)
    assert began <= reading.began < reading.ended <= time.monotonic()


@pytest.mark.parametrize(("value", "said"), [("NaN", "nan"), ("+Inf", "inf"), ("9" * 400, "inf"), ("1e300", "1e+300")])
def test_no_count(value: str, said: str) -> None:
    """A value that cannot be a count is reported as such."""
    text = f"stentor_server_connections_accepted_total {value}\n".encode()
    words = f"URL/metrics reports {said} for stentor_server_connections_accepted_total, which is not a count"
    assert _failure(lambda _: (200, text)) == words


def test_clients_add_up() -> None:
    """The counts of several clients add up; the slowest shows how long the path is."""
    first = Client(opened=2, active=1, lost=1, good=4, failed=1, sent=10, received=8, service_seconds=0.25)
    second = Client(opened=5, active=3, good=8, sent=1 << 52, received=7, service_seconds=0.5, started=1001.0)
    idle = Client(service_seconds=float("nan"), started=1002.0)  # its mean is no duration
    with answering(admin(first)) as one, answering(admin(second)) as two, answering(admin(idle)) as three:
        reading = asyncio.run(read([one, two, three], of_client))
    assert reading.counts == {
        "opened": 7,
        "closed": 3,
        "lost": 1,
        "exchanges": 13,
        "failed": 1,
        "sent_bytes": (1 << 52) + 10,
        "received_bytes": 15,
    }
    assert reading.started == (1000.0, 1001.0, 1002.0)
    assert reading.exchange_seconds == 0.5


def test_other_service() -> None:
    """The endpoint of the other service, or of neither, is named with the metric that it lacks."""
    message = "URL/metrics has no stentor_server_connections_accepted_total: give the URL of a server's admin endpoint"
    assert _failure(admin(Client())) == message
    assert _failure(lambda _: (200, b"")) == message


@pytest.mark.parametrize("body", [b"<html>", b"stentor_server_x{", b"x y z", b"\xff\xfe"])
def test_no_exposition(body: bytes) -> None:
    """A body that is not an exposition is reported as such."""
    assert _failure(lambda _: (200, body)) == "URL/metrics is not in Prometheus' text format"


def test_error_status() -> None:
    """An error status is reported, with a remedy if there is one."""
    assert _failure(lambda _: (404, b"")) == "cannot read URL/metrics: it answered 404 Not Found"
    hint = "its option --admin-name adds this name"
    assert _failure(lambda _: (421, b"")) == f"cannot read URL/metrics: it answered 421 Misdirected Request; {hint}"


def _reading(started: float, opened: int) -> Reading:
    counts = {"opened": opened, "sent_bytes": 5, "received_bytes": 5}
    return Reading(began=0, ended=1, started=(started,), exchange_seconds=0, counts=counts)


def test_restart() -> None:
    """A reading follows another if the same process counted on: none started anew, and no count fell."""
    assert _reading(1, 4).follows(_reading(1, 4))
    assert _reading(1, 5).follows(_reading(1, 4))
    assert not _reading(1, 3).follows(_reading(1, 4))
    assert not _reading(2, 9).follows(_reading(1, 4))
