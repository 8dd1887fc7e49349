"""The options of a load."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stentor_client.load.arrivals import Rate
from stentor_client.wire.dialer import DialOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """Plain data that travels to the workers as JSON."""

    dial: DialOptions
    expect: str
    timeout_seconds: float
    connections: int
    fresh: bool  # one connection for each exchange, at most `connections` at once
    rate: Rate | None  # None is a closed loop: the next exchange begins when the last is over
    poisson: bool
    sizes: list[int]
    pipeline: int
    workers: int
    warmup_seconds: float
    duration_seconds: float

    @property
    def whole_seconds(self) -> float:
        """How long to send, including the warm-up."""
        return self.warmup_seconds + self.duration_seconds

    @property
    def ramp(self) -> bool:
        """Whether the rate changes."""
        return self.rate is not None and self.rate.first != self.rate.last

    def share(self, worker: int) -> int:
        """Return this worker's number of connections."""
        return self.connections // self.workers + (worker < self.connections % self.workers)

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "LoadOptions":
        """Restore them from the result of `asdict`."""
        rate = fields["rate"] and Rate(**fields["rate"])
        return cls(**{**fields, "dial": DialOptions(**fields["dial"]), "rate": rate})
