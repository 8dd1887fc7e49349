"""A generator inside the test, and what it counts."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.arrivals import Arrivals, Rate
from stentor_client.load.generator import Generator
from stentor_client.load.metrics import AT, AT_EACH, MEASURED, SCHEMA
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.distribution import Distribution
from stentor_client.load.tally import Tally
from stentor_client.metrics import LOST
from stentor_client.verify.outcomes import Outcome
from unit.client.loads import CLOSED
from unit.looping import Events


def load_options(target: str, **changes: Any) -> LoadOptions:
    """Return the options of a closed load of a fifth of a second, with changes."""
    dial = replace(CLOSED.dial, target=target)
    return replace(replace(CLOSED, dial=dial, connections=3, warmup_seconds=0.0, duration_seconds=0.2), **changes)


class Loading:
    """A load of a target, with those options."""

    def __init__(self, target: str, events: Events, addresses: Sequence[str] = (), **changes: Any) -> None:
        """Prepare it; this requires a running event loop."""
        self.options = load_options(target, **changes)
        self.row = [0] * SCHEMA.row_slots
        self.events = events
        self.tally = Tally(self.row)
        self._addresses = addresses

    async def run(self) -> None:
        """Run it to its end."""
        options = self.options
        async with asyncio.TaskGroup() as group:
            self.generator = Generator(options, 0, self.tally, self.events.logger, group, self._addresses)
            try:
                await self.generator.connect(options.connections)
                start = time.perf_counter_ns()
                self.tally.measured_from = start + int(options.warmup_seconds * NANOSECONDS)
                arrivals = Arrivals(options.rate, options.whole_seconds, start=start) if options.rate else None
                await self.generator.run(arrivals, start, start + int(options.whole_seconds * NANOSECONDS))
            finally:
                await self.generator.close()

    def outcomes(self) -> dict[str, int]:
        """Return how many measured exchanges ended, by outcome, without those that did not occur."""
        counts = {str(outcome): self.row[SCHEMA.slot(MEASURED, outcome)] for outcome in Outcome}
        return {outcome: count for outcome, count in counts.items() if count}

    def lost(self) -> set[str]:
        """Return the outcomes by which connections were lost."""
        return {str(outcome) for outcome in LOST.values if self.row[SCHEMA.slot(LOST, outcome)]}

    def at(self, what: int) -> list[int]:
        """Return one of the counts of all addresses."""
        return self.row[SCHEMA.slots(AT)][what :: len(AT_EACH)]

    def times(self, metric: Any, value: str = "") -> Distribution:
        """Return the distribution in a fine histogram."""
        return times(self.row, metric, value)

    def __getitem__(self, metric: Any) -> int:
        """Return a metric's value."""
        return self.row[SCHEMA.slot(metric)]


def times(row: list[int], metric: Any, value: str = "") -> Distribution:
    """Return the distribution in a fine histogram of a row."""
    first = SCHEMA.slot(metric, value)
    return Distribution.of(row[first : first + metric.width])


def level(rate: float) -> Rate:
    """Return a constant rate."""
    return Rate(rate, rate)
