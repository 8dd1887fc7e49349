"""A load over time."""

from collections.abc import Sequence
from dataclasses import dataclass

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.metrics import DUE, MEASURED, REPLIES, RESPONSE_TIME, SCHEMA
from stentor_client.load.report.distribution import Distribution
from stentor_client.verify.outcomes import Outcome

SHORTEST_NANOSECONDS = 20_000_000  # a slice: in a moment a single exchange makes any rate


@dataclass(frozen=True, slots=True)
class Slice:
    """A piece of the measured time; rates are per second, durations in seconds, None where nothing was answered."""

    begin_seconds: float  # from the end of the warm-up
    end_seconds: float
    due_rate: float  # what the schedule called for
    throughput: float  # right replies
    failures: int
    p50_seconds: float | None
    p99_seconds: float | None
    max_seconds: float | None


class Series:
    """Takes a look at the counts now and then, and says what happened between two looks."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.slices: list[Slice] = []
        self._at = 0
        self._before: Sequence[int] = [0] * SCHEMA.row_slots

    def look(self, now: int, totals: Sequence[int]) -> Slice | None:
        """Take all counts at a moment, in nanoseconds from the end of the warm-up; before that there is no slice.

        What happens within too short a time after the last slice goes into the next.
        """
        before, since = self._before, self._at
        if now > 0 and now - since < SHORTEST_NANOSECONDS:
            return None
        self._before, self._at = totals, max(now, 0)
        if now <= 0:
            return None
        seconds = (now - since) / NANOSECONDS
        times = SCHEMA.slots(RESPONSE_TIME)
        found = Distribution.of([new - old for new, old in zip(totals[times], before[times], strict=True)])
        replies = SCHEMA.slot(REPLIES)
        any_ = found.count > 0
        made = Slice(
            since / NANOSECONDS,
            now / NANOSECONDS,
            (totals[SCHEMA.slot(DUE)] - before[SCHEMA.slot(DUE)]) / seconds,
            (totals[replies] - before[replies]) / seconds,
            failures(totals) - failures(before),
            found.percentile(50) if any_ else None,
            found.percentile(99) if any_ else None,
            found.most if any_ else None,
        )
        self.slices.append(made)
        return made


def failures(totals: Sequence[int]) -> int:
    """Return how many measured exchanges failed."""
    return sum(totals[SCHEMA.slots(MEASURED)]) - totals[SCHEMA.slot(MEASURED, Outcome.OK)]
