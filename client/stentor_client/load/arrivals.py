"""When exchanges are due."""

import math
import random
from dataclasses import dataclass

from stentor_chassis.counters.histogram import NANOSECONDS


@dataclass(frozen=True, slots=True)
class Rate:
    """Exchanges per second, the same all the time or growing evenly from the first to the last moment."""

    first: float
    last: float

    def at(self, seconds: float, duration_seconds: float) -> float:
        """Return the rate at a moment."""
        return self.first + (self.last - self.first) * seconds / duration_seconds

    def moment(self, arrivals: float, duration_seconds: float) -> float:
        """Return the moment, in seconds, up to which so many arrivals are due."""
        slope = (self.last - self.first) / duration_seconds
        if not slope:
            return arrivals / self.first
        # first × t + slope × t² / 2 = arrivals; written so that it stays exact where the slope is small
        root = self.first**2 + 2 * slope * arrivals
        return 2 * arrivals / (self.first + math.sqrt(root)) if root >= 0 else math.inf

    def arrivals(self, seconds: float, duration_seconds: float) -> float:
        """Return how many arrivals are due up to a moment."""
        return self.first * seconds + (self.last - self.first) * seconds**2 / (2 * duration_seconds)


class Arrivals:
    """The moments of one of several workers, each computed from the start, so that they cannot drift.

    Evenly spaced, the workers take turns. As a Poisson process each worker has one of its own, and together they are
    one again.
    """

    def __init__(
        self,
        rate: Rate,
        duration_seconds: float,
        *,
        start: int,
        worker: int = 0,
        workers: int = 1,
        poisson: bool = False,
    ) -> None:
        """Begin at `start`, in nanoseconds of the clock that the caller reads."""
        self._rate = rate
        self._duration = duration_seconds
        self._start = start
        self._workers = workers
        self._poisson = poisson
        self._passed = random.expovariate(1.0) * workers if poisson else float(worker)
        self.due = self._moment()

    def advance(self) -> None:
        """Go on to the next moment."""
        step = random.expovariate(1.0) if self._poisson else 1.0
        self._passed += step * self._workers
        self.due = self._moment()

    def _moment(self) -> int:
        seconds = self._rate.moment(self._passed, self._duration)
        return self._start + int(min(seconds, 2 * self._duration) * NANOSECONDS)
