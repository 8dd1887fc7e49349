"""A generator inside the test, and what it counts."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from stentor_chassis.counters.histogram import NANOSECONDS
from stentor_client.load.arrivals import Arrivals, Rate
from stentor_client.load.generator import Generator
from stentor_client.load.metrics import MEASURED, SCHEMA
from stentor_client.load.options import LoadOptions
from stentor_client.load.report.distribution import Distribution
from stentor_client.load.tally import Tally
from stentor_client.metrics import LOST
from stentor_client.verify.outcomes import Outcome
from stentor_client.wire.dialer import Dialer, DialOptions
from unit.looping import Events


def load_options(target: str, **changes: Any) -> LoadOptions:
    """Return the options of a load: closed, for a fifth of a second, but for what is changed."""
    return replace(
        LoadOptions(
            dial=DialOptions(target=target, connect_timeout_seconds=5.0),
            expect="upper",
            timeout_seconds=5.0,
            connections=3,
            fresh=False,
            rate=None,
            poisson=False,
            sizes=[64],
            pipeline=1,
            workers=1,
            warmup_seconds=0.0,
            duration_seconds=0.2,
        ),
        **changes,
    )


class Loading:
    """A load of a target, with those options."""

    def __init__(self, target: str, events: Events, **changes: Any) -> None:
        """Make it; to be called within the loop."""
        self.options = load_options(target, **changes)
        self.dialer = Dialer(self.options.dial)
        self.row = [0] * SCHEMA.row_slots
        self.stop = asyncio.Event()
        self.events = events
        self.tally = Tally(self.row)
        self.generator = Generator(self.options, 0, self.tally, events.logger)

    async def run(self) -> None:
        """Run it to its end."""
        options = self.options
        await self.generator.connect(options.connections, asyncio.Event())
        start = time.perf_counter_ns()
        self.tally.measured_from = start + int(options.warmup_seconds * NANOSECONDS)
        arrivals = Arrivals(options.rate, options.whole_seconds, start=start) if options.rate else None
        await self.generator.run(arrivals, start, start + int(options.whole_seconds * NANOSECONDS), self.stop)
        await self.generator.close()

    def outcomes(self) -> dict[str, int]:
        """Return how many measured exchanges ended, by outcome, without those that did not occur."""
        counts = {str(outcome): self.row[SCHEMA.slot(MEASURED, outcome)] for outcome in Outcome}
        return {outcome: count for outcome, count in counts.items() if count}

    def lost(self) -> dict[str, int]:
        """Return how many connections were lost, by outcome, without the outcomes that did not occur."""
        counts = {str(outcome): self.row[SCHEMA.slot(LOST, outcome)] for outcome in LOST.values}
        return {outcome: count for outcome, count in counts.items() if count}

    def times(self, metric: Any, value: str = "") -> Distribution:
        """Return what a fine histogram holds."""
        first = SCHEMA.slot(metric, value)
        return Distribution.of(self.row[first : first + metric.width])

    def __getitem__(self, metric: Any) -> int:
        """Return a metric's value."""
        return self.row[SCHEMA.slot(metric)]


def level(rate: float) -> Rate:
    """Return a rate that stays."""
    return Rate(rate, rate)
