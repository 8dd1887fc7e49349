"""What the command line says to a probe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stentor_client.wire.dialer import DialOptions

CONNECTIONS = ("persistent", "fresh", "mixed")
RESOLVES = ("first", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """Plain data, for it travels as JSON."""

    dial: DialOptions
    interval_seconds: float
    connection: str  # one of CONNECTIONS
    resolve: str  # one of RESOLVES
    sizes: list[int]
    count: int  # of each address; 0: until told to stop
    timeout_seconds: float
    expect: str

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "ProbeOptions":
        """Make them of what `asdict` made of them."""
        return cls(**{**fields, "dial": DialOptions(**fields["dial"])})

    def fresh(self, sequence: int) -> bool:
        """Whether this exchange has a connection of its own."""
        return self.connection == "fresh" or (self.connection == "mixed" and sequence % 2 == 1)

    def size(self, sequence: int) -> int:
        """Return how many bytes this exchange sends; where connections take turns, both have their turn with each."""
        turn = sequence // 2 if self.connection == "mixed" else sequence
        return self.sizes[turn % len(self.sizes)]
