"""Every time-out, on a clock of the test's."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import cast

import pytest

from stentor_server.guard.timeouts import HANDSHAKE_SECONDS, LINGER_SECONDS, Timeouts
from stentor_server.metrics import CloseReason
from stentor_server.path.connection import Connection
from unit.server.serving import NewServing, numbered, options

AGE = 1_000_000.0  # seconds: beyond any time-out
IDLE, WRITE, HALF_CLOSE = "idle_timeout_seconds", "write_timeout_seconds", "half_close_timeout_seconds"
CLOSED = {"pending": True, "peer_closed_at": 100.0}


@dataclass
class Fake:
    """A connection that was opened at second 100, and notes how it ended."""

    opened_at: float = 100.0
    active_at: float = 100.0
    peer_closed_at: float = 0.0
    closing_since: float = 0.0
    pending: bool = False
    handshaking: bool = False
    progress: float = 0.0  # when the peer is found to have read something
    fd: int = 0  # reaches 0.9 of the maximum age
    open: bool = True  # whether it is, after what waits in its socket has been handled
    arrived: float = 0.0  # when something is found to wait there
    ends: list[tuple[str, CloseReason]] = field(default_factory=list)

    def check_progress(self) -> None:
        """Count progress as activity."""
        self.active_at = max(self.active_at, self.progress)

    def catch_up(self) -> bool:
        """Find what waits in the socket."""
        self.active_at = max(self.active_at, self.arrived)
        return self.open

    def finish(self, reason: CloseReason, /) -> None:
        """Note an orderly end."""
        self.ends.append(("finish", reason))

    def abort(self, reason: CloseReason, error: str = "", /) -> None:
        """Note an immediate end."""
        self.ends.append((f"abort {error}".strip(), reason))


def _ends(connection: Fake, later: float, **limits: float) -> list[tuple[str, CloseReason]]:
    """Return how a connection has ended at second 100 + `later`."""
    Timeouts(options(**limits)).enforce(cast("Connection", connection), 100.0 + later)
    return connection.ends


@pytest.mark.parametrize(
    ("state", "limits", "after", "end"),
    [
        ({}, {IDLE: 10.0}, 10.0, ("abort", CloseReason.IDLE_TIMEOUT)),
        ({"pending": True}, {IDLE: 10.0}, 10.0, ("abort", CloseReason.IDLE_TIMEOUT)),
        ({"pending": True}, {WRITE: 10.0}, 10.0, ("abort", CloseReason.WRITE_TIMEOUT)),
        ({"pending": True, "active_at": 105.0}, {WRITE: 10.0}, 15.0, ("abort", CloseReason.WRITE_TIMEOUT)),
        ({"pending": True, "progress": 105.0}, {WRITE: 10.0}, 15.0, ("abort", CloseReason.WRITE_TIMEOUT)),
        (
            {"pending": True, "peer_closed_at": 101.0, "active_at": 109.0},  # also if the peer makes progress
            {HALF_CLOSE: 10.0, IDLE: 50.0},
            11.0,
            ("abort", CloseReason.HALF_CLOSE_TIMEOUT),
        ),
        ({"active_at": 109.0}, {"max_age_seconds": 10.0}, 9.0, ("finish", CloseReason.MAX_AGE)),
        ({"arrived": 105.0}, {IDLE: 10.0}, 15.0, ("abort", CloseReason.IDLE_TIMEOUT)),
        # If several limits have passed at once, the reason is the one that says most.
        (CLOSED, {HALF_CLOSE: 10.0, WRITE: 10.0, IDLE: 10.0}, 10.0, ("abort", CloseReason.HALF_CLOSE_TIMEOUT)),
        (CLOSED, {HALF_CLOSE: 50.0, WRITE: 10.0, IDLE: 10.0}, 10.0, ("abort", CloseReason.WRITE_TIMEOUT)),
        ({"pending": True}, {HALF_CLOSE: 5.0, IDLE: 10.0}, 10.0, ("abort", CloseReason.IDLE_TIMEOUT)),
        ({"handshaking": True}, {}, HANDSHAKE_SECONDS, ("abort the handshake took too long", CloseReason.TLS_ERROR)),
        ({"closing_since": 100.0}, {"max_age_seconds": 0.1}, LINGER_SECONDS, ("abort", CloseReason.DRAIN)),
        ({"closing_since": 100.0, "pending": True}, {WRITE: 10.0}, 10.0, ("abort", CloseReason.WRITE_TIMEOUT)),
    ],
)
def test_limit(state: dict[str, float], limits: dict[str, float], after: float, end: tuple[str, CloseReason]) -> None:
    """A connection ends when its limit has passed, in the right way, and not before."""
    connection = Fake(**state)  # type: ignore[arg-type]
    assert _ends(connection, after - 0.01, **limits) == []
    assert _ends(connection, after + 0.01, **limits) == [end]


@pytest.mark.parametrize(
    ("state", "limits"),
    [
        ({}, {}),
        ({"pending": True, "peer_closed_at": 100.0}, {}),
        ({"peer_closed_at": 100.0}, {WRITE: 10.0, HALF_CLOSE: 10.0}),  # nothing is pending
        ({"open": False}, {IDLE: 10.0}),
        ({"pending": True, "closing_since": 100.0}, {}),  # a slow reader may need longer than the linger
    ],
)
def test_no_limit(state: dict[str, float], limits: dict[str, float]) -> None:
    """A limit of 0, or of something else, ends nothing."""
    assert _ends(Fake(**state), AGE, **limits) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({}, 1.0),
        ({IDLE: 4.0}, 0.5),
        ({WRITE: 2.0, IDLE: 4.0}, 0.25),
        ({HALF_CLOSE: 0.8}, 0.1),
        ({"max_age_seconds": 0.001}, 0.02),
        ({IDLE: 600.0}, 1.0),
    ],
)
def test_sweep_interval(limits: dict[str, float], seconds: float) -> None:
    """The shortest time-out is accurate to an eighth; the interval is at most a second, and never a busy loop."""
    assert seconds == pytest.approx(Timeouts(options(**limits)).sweep_seconds)


def test_maximum_ages_are_spread() -> None:
    """Connections that began together end evenly over ±10 % of the maximum age."""
    timeouts, fakes = Timeouts(options(max_age_seconds=100.0)), [Fake(fd=fd) for fd in range(20, 320)]
    ended = []
    for age in range(89, 112):
        for fake in fakes:
            timeouts.enforce(cast("Connection", fake), 100.0 + age)
        ended.append(sum(len(fake.ends) > 0 for fake in fakes))
    assert (ended[1], ended[-1]) == (0, 300)
    assert all(10 <= later - earlier <= 20 for earlier, later in pairwise(ended[1:-1]))


@pytest.mark.parametrize("limit", [IDLE, "max_age_seconds", "drain_timeout_seconds"])
async def test_what_waits_is_answered_first(serving_kind: NewServing, kind: str, limit: str) -> None:
    """What has arrived is answered before a time-out is judged, as after a pause of the whole process."""
    async with serving_kind(**{limit: 1e-9 if limit.startswith("drain") else 60.0}) as server:
        client = await server.connect(kind)
        await client.exchange(b"hello")
        connection = server.connection(client)
        connection.opened_at = connection.active_at = 1.0
        client.connection.send(client.encoded(message := b"waits" * 1000))
        if limit.startswith("drain"):
            await server.drain()
        else:
            server.server.sweep(server.now)
        assert (server.received, server.sent) == (5 + len(message),) * 2
        assert (limit == IDLE) == (connection.fd >= 0 and not connection.closing_since)
        assert await client.receive(len(message)) == message.upper()


async def test_end_that_waits_comes_first(serving_kind: NewServing, kind: str) -> None:
    """A connection whose peer has ended it is not idle."""
    async with serving_kind(idle_timeout_seconds=60.0) as server:
        client = await server.connect(kind)
        server.connection(client).active_at = 1.0
        client.shut_down_writing()
        server.server.sweep(server.now)
        assert server.closed(CloseReason.EOF) == 1


async def test_unread_bytes_count_as_received(serving_kind: NewServing, kind: str) -> None:
    """What a time-out throws away unread was received, and is unsent."""
    async with serving_kind(write_timeout_seconds=60.0) as server:
        client = await server.connect(kind)
        payload = await server.fill(client, numbered("unread"))
        received, connection = server.received, server.connection(client)
        connection.check_progress()
        connection.active_at = 1.0
        server.server.sweep(server.now)
        assert server.closed(CloseReason.WRITE_TIMEOUT) == 1
        assert received < server.received == server.sent + server.unsent <= len(payload)
        assert kind != "unix" or server.received == len(payload)  # elsewhere some has not arrived


async def test_stopped_process(serving: NewServing) -> None:
    """The time during which the process was stopped is not charged to a peer that had ended its side."""
    async with serving(half_close_timeout_seconds=60.0) as server:
        client = await server.connect("unix")
        payload = await server.fill(client, numbered("late"))
        client.shut_down_writing()
        connection = server.connection(client)
        await server.until(lambda: connection.peer_closed_at, "its FIN to be seen")
        connection.peer_closed_at -= 100
        server.server.sweep(server.now - 99)
        assert connection.fd >= 0
        assert payload.upper() == await client.receive_all()


async def test_slices(serving: NewServing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep over many connections leaves the event loop to others in between, and misses none."""
    monkeypatch.setattr("stentor_server.server.SWEEP_SLICE", 2)
    async with serving(idle_timeout_seconds=60.0) as server:
        clients = [await server.connect() for _ in range(5)]
        for client in clients:
            server.connection(client).active_at = 1.0
        server.server.sweep(server.now)
        assert server.closed(CloseReason.IDLE_TIMEOUT) == 2
        await server.until(lambda: server.closed(CloseReason.IDLE_TIMEOUT) == 5, "the others to be judged")
