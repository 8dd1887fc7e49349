"""What the command line says of a load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stentor_client.load.arrivals import Rate
from stentor_client.wire.dialer import DialOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Plain data, for it travels as JSON."""

    dial: DialOptions
    expect: str
    timeout_seconds: float
    connections: int
    fresh: bool  # a connection of its own for each exchange; `connections` is then how many at once
    rate: Rate | None  # closed loop without one: the next exchange begins when the last is over
    poisson: bool
    sizes: list[int]
    pipeline: int
    workers: int
    warmup_seconds: float
    duration_seconds: float

    @property
    def whole_seconds(self) -> float:
        """How long exchanges are begun."""
        return self.warmup_seconds + self.duration_seconds

    @property
    def ramp(self) -> bool:
        """Whether the rate changes."""
        return self.rate is not None and self.rate.first != self.rate.last

    def share(self, worker: int) -> int:
        """Return how many of the connections are this worker's."""
        return self.connections // self.workers + (worker < self.connections % self.workers)

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "LoadOptions":
        """Make them of what `asdict` made of them."""
        rate = fields["rate"] and Rate(**fields["rate"])
        return cls(**{**fields, "dial": DialOptions(**fields["dial"]), "rate": rate})
