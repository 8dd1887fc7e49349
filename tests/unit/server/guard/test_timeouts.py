"""Every time-out, on a clock of the test's."""

from dataclasses import dataclass, field
from typing import cast

import pytest

from stentor_server.guard.timeouts import HANDSHAKE_SECONDS, LINGER_SECONDS, Timeouts
from stentor_server.metrics import CloseReason
from stentor_server.path.connection import Connection
from unit.server.serving import options

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
    ends: list[tuple[str, CloseReason]] = field(default_factory=list)

    def check_progress(self) -> None:
        """Count progress as activity."""
        self.active_at = max(self.active_at, self.progress)

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
        ({"active_at": 109.0}, {"max_age_seconds": 10.0}, 10.0, ("finish", CloseReason.MAX_AGE)),
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
