"""Which count of one side is compared with which of the other."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from stentor_client.reconcile.bracket import Point
from stentor_client.reconcile.reading import Reading


class Side(StrEnum):
    """A side that counts."""

    CLIENT = "client"
    SERVER = "server"


class Count(NamedTuple):
    """One count of one side, `up - down`, by the names that a reading has for them."""

    side: Side
    up: str
    down: str = ""

    def points(self, readings: Sequence[Reading]) -> list[Point]:
        """Return it as it was at each reading of its side."""
        return [
            Point(
                reading.began,
                reading.ended,
                reading.counts[self.up],
                reading.counts.get(self.down, 0),
                rest=self.side is Side.SERVER or reading.counts["sent_bytes"] == reading.counts["received_bytes"],
            )
            for reading in readings
        ]


class Quantity(NamedTuple):
    """Two counts that agree if nothing was lost and nothing added."""

    name: str
    unit: str
    left: Count
    right: Count
    needs_good_exchanges: bool = False

    @property
    def between_sides(self) -> bool:
        """Whether it compares two sides, and is not one side's own balance."""
        return self.left.side is not self.right.side


# The counts that queries are compared with, by the name in the query.
_NAMES = {"connections": "opened", "sent_bytes": "sent_bytes", "received_bytes": "received_bytes"}
COUNTS = {side: {name: Count(side, key) for name, key in _NAMES.items()} for side in Side}
COUNT_NAMES = (*_NAMES,)
_CLIENT, _SERVER = COUNTS[Side.CLIENT], COUNTS[Side.SERVER]

QUANTITIES = (
    Quantity("connections", "connection", _CLIENT["connections"], _SERVER["connections"]),
    Quantity(
        "open connections",
        "connection",
        Count(Side.CLIENT, "opened", down="closed"),
        Count(Side.SERVER, "opened", down="closed"),
    ),
    Quantity("bytes to the server", "byte", _CLIENT["sent_bytes"], _SERVER["received_bytes"]),
    Quantity("bytes back", "byte", _CLIENT["received_bytes"], _SERVER["sent_bytes"]),
    Quantity(
        "client: sent = received",
        "byte",
        _CLIENT["sent_bytes"],
        _CLIENT["received_bytes"],
        needs_good_exchanges=True,
    ),
    Quantity(
        "server: accepted = active + closed",
        "connection",
        Count(Side.SERVER, "accepted"),
        Count(Side.SERVER, "accounted"),
    ),
    Quantity(
        "server: received = sent + unsent + waiting",
        "byte",
        Count(Side.SERVER, "received_bytes"),
        Count(Side.SERVER, "answered_bytes"),
    ),
)
