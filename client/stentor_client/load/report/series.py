"""A load over time."""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.metrics import DUE, MEASURED, REPLIES, RESPONSE_TIME, SCHEMA
from stentor_client.load.report.distribution import Distribution
from stentor_client.verify.outcomes import Outcome

SHORTEST_NANOSECONDS = 20_000_000  # of a slice: in a moment a single exchange would make any rate


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the measured time; rates are per second, durations in seconds, None if nothing was answered."""

    begin_seconds: float  # from the end of the warm-up
    end_seconds: float
    due_rate: float  # called for by the schedule
    throughput: float  # right replies
    failures: int
    p50_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


class Series:
    """Makes slices of the differences between counts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.slices: list[Slice] = []
        self._at = 0
        self._before: Sequence[int] = [0] * SCHEMA.row_slots

    def look(self, now: int, totals: Sequence[int]) -> None:
        """Make a slice of all that was counted since the last; `now` is in nanoseconds from the end of the warm-up.

        There is none before that, nor a very short one: its counts become part of the next.
        """
        before, since = self._before, self._at
        if 0 < now < since + SHORTEST_NANOSECONDS:
            return
        self._before, self._at = totals, max(now, 0)
        if now <= 0:
            return
        new = list(map(operator.sub, totals, before))
        times = Distribution.of(new[SCHEMA.slots(RESPONSE_TIME)])
        seconds = (now - since) / NANOSECONDS
        known = [
            None if math.isnan(each) else each for each in (times.percentile(50), times.percentile(99), times.most)
        ]
        due, right = new[SCHEMA.slot(DUE)] / seconds, new[SCHEMA.slot(REPLIES)] / seconds
        self.slices.append(Slice(since / NANOSECONDS, now / NANOSECONDS, due, right, failures(new), *known))


def failures(totals: Sequence[int]) -> int:
    """Return how many measured exchanges failed."""
    return sum(totals[SCHEMA.slots(MEASURED)]) - totals[SCHEMA.slot(MEASURED, Outcome.OK)]
