"""The options of a probe."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stentor_client.wire.dialer import DialOptions

CONNECTION_MODES = ("persistent", "fresh", "mixed")
RESOLVE_MODES = ("first", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """Plain data, because the worker receives it as JSON."""

    dial: DialOptions
    interval_seconds: float
    connection: str  # one of CONNECTION_MODES
    resolve: str  # one of RESOLVE_MODES
    sizes: list[int]
    count: int  # for each address; 0 for no limit
    timeout_seconds: float
    expect: str

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "ProbeOptions":
        """Rebuild the options from the result of `asdict`."""
        return cls(**{**fields, "dial": DialOptions(**fields["dial"])})

    def fresh(self, sequence: int) -> bool:
        """Whether this exchange opens its own connection."""
        return self.connection == "fresh" or (self.connection == "mixed" and sequence % 2 == 1)

    def size(self, sequence: int) -> int:
        """Return how many bytes this exchange sends; in `mixed` mode both kinds of connection get every size."""
        turn = sequence // 2 if self.connection == "mixed" else sequence
        return self.sizes[turn % len(self.sizes)]
