"""What is compared: which count of one side with which of the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stentor_client.reconcile.reading import Counts, Reading
from stentor_client.reconcile.side import Side
from stentor_client.reconcile.window import Point

CHECK_BYTES: Final = 2  # the most that one of the server's health checks moves each way


Take = Callable[[Counts], tuple[int, int, int]]  # up, down and slack of a `Point`


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One count of one side."""

    side: Side
    take: Take

    def points(self, readings: Sequence[Reading]) -> list[Point]:
        """Return it as it was at each reading of its side."""
        return [Point(reading.began, reading.ended, *self.take(reading.counts)) for reading in readings]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """Two counts that agree if nothing was lost and nothing added; `unit` is of one and of several."""

    name: str
    unit: tuple[str, str]
    left: Count
    right: Count
    needs_good_exchanges: bool = False

    @property
    def between_sides(self) -> bool:
        """Whether it is one side's count against the other's, and not a side's own balance."""
        return self.left.side is not self.right.side


def _plain(name: str) -> Take:
    return lambda counts: (counts[name], 0, 0)


_CONNECTIONS, _BYTES = ("connection", "connections"), ("byte", "bytes")
_CLIENTS = {
    "connections": _plain("opened"),
    "sent_bytes": _plain("sent_bytes"),
    "received_bytes": _plain("received_bytes"),
}
# Without those of the server's own health checks, of which nobody else knows.
_SERVERS: dict[str, Take] = {
    "connections": lambda counts: (counts["opened"] - counts["checks"], 0, counts["checks_unfinished"]),
    "received_bytes": lambda counts: (
        counts["received_bytes"] - counts["checks_received_bytes"],
        0,
        CHECK_BYTES * counts["checks_unfinished"],
    ),
    "sent_bytes": lambda counts: (
        counts["sent_bytes"] - counts["checks_sent_bytes"],
        0,
        CHECK_BYTES * counts["checks_unfinished"],
    ),
}
# What a query of Prometheus' can be held against, by its name.
COUNTS: dict[Side, dict[str, Count]] = {
    side: {name: Count(side=side, take=take) for name, take in takes.items()}
    for side, takes in ((Side.CLIENT, _CLIENTS), (Side.SERVER, _SERVERS))
}

QUANTITIES = (
    Quantity(
        name="connections",
        unit=_CONNECTIONS,
        left=COUNTS[Side.CLIENT]["connections"],
        right=COUNTS[Side.SERVER]["connections"],
    ),
    Quantity(
        name="open connections",
        unit=_CONNECTIONS,
        left=Count(side=Side.CLIENT, take=lambda counts: (counts["opened"], counts["closed"], 0)),
        right=Count(
            side=Side.SERVER, take=lambda counts: (counts["opened"], counts["closed"], counts["checks_unfinished"])
        ),
    ),
    Quantity(
        name="bytes to the server",
        unit=_BYTES,
        left=COUNTS[Side.CLIENT]["sent_bytes"],
        right=COUNTS[Side.SERVER]["received_bytes"],
    ),
    Quantity(
        name="bytes back",
        unit=_BYTES,
        left=COUNTS[Side.CLIENT]["received_bytes"],
        right=COUNTS[Side.SERVER]["sent_bytes"],
    ),
    Quantity(
        name="client: sent = received",
        unit=_BYTES,
        left=COUNTS[Side.CLIENT]["sent_bytes"],
        right=COUNTS[Side.CLIENT]["received_bytes"],
        needs_good_exchanges=True,
    ),
    Quantity(
        name="server: accepted = active + closed",
        unit=_CONNECTIONS,
        left=Count(side=Side.SERVER, take=_plain("accepted")),
        right=Count(side=Side.SERVER, take=_plain("accounted")),
    ),
    Quantity(
        name="server: received = sent + unsent + waiting",
        unit=_BYTES,
        left=Count(side=Side.SERVER, take=_plain("received_bytes")),
        right=Count(side=Side.SERVER, take=_plain("answered_bytes")),
    ),
)
