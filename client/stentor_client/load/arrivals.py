"""When exchanges are due."""

import math
import random
from dataclasses import dataclass

from stentor_chassis.counters.histogram import NANOSECONDS


@dataclass(frozen=True, slots=True)
class Rate:
    """Exchanges per second, constant or changing evenly from the first to the last moment."""

    first: float
    last: float

    def moment(self, arrivals: float, duration_seconds: float) -> float:
        """Return the moment, in seconds, by which this many arrivals are due."""
        slope = (self.last - self.first) / duration_seconds
        # first × t + slope × t² / 2 = arrivals; in this form it is exact for a small slope, and for none
        root = self.first**2 + 2 * slope * arrivals
        return 2 * arrivals / (self.first + math.sqrt(root)) if root >= 0 else math.inf


class Arrivals:
    """The moments of one of several workers, each computed from the start, so that they cannot drift.

    If evenly spaced, the workers take turns; if a Poisson process, each worker has its own, and their sum is one.
    """

    def __init__(
        self, rate: Rate, seconds: float, *, start: int, worker: int = 0, workers: int = 1, poisson: bool = False
    ) -> None:
        """Begin at `start`, in nanoseconds of the caller's clock."""
        self._rate = rate
        self._duration = seconds
        self._start = start
        self._workers = workers
        self._poisson = poisson
        self._passed = random.expovariate(1.0) * workers if poisson else float(worker)
        self.due = self._moment()

    def advance(self) -> None:
        """Proceed to the next moment."""
        step = random.expovariate(1.0) if self._poisson else 1.0
        self._passed += step * self._workers
        self.due = self._moment()

    def _moment(self) -> int:
        seconds = self._rate.moment(self._passed, self._duration)
        return self._start + int(min(seconds, 2 * self._duration) * NANOSECONDS)
